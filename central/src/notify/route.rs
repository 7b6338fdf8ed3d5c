//! Who is told: channels by the names of notification targets.

use std::collections::BTreeSet;

/// Names of all channels.
pub(super) type Names = BTreeSet<String>;

/// Whether a channel gets a page for these targets. No targets mean every channel, and so do targets
/// of which no channel has the name: a misspelt target must not swallow a page.
pub(super) fn gets(channel: &str, targets: &[String], channels: &Names) -> bool {
    targets.iter().any(|target| target == channel) || !targets.iter().any(|target| channels.contains(target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_goes_to_the_channels_it_names_and_to_all_if_it_names_none_that_exists() {
        let channels = BTreeSet::from(["hook".to_owned(), "mail".to_owned()]);
        let gets = |channel, targets: &[&str]| {
            gets(channel, &targets.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>(), &channels)
        };
        assert!(gets("hook", &[]) && gets("mail", &[]));
        assert!(gets("hook", &["hook"]) && !gets("mail", &["hook"]));
        assert!(gets("hook", &["hok"]) && gets("mail", &["hok"]));
    }
}
