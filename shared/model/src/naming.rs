//! Names that come from outside. One that an operator writes into a configuration holds as it is, or is
//! refused with what to write instead. One that comes in data is made fit, so that the request behind it
//! counts.

use std::borrow::Cow;

use crate::identity::{HOST_SERVICE_PREFIX, NAME_BYTES_MAX, NameError, UNKNOWN_SERVICE, check_name};

/// Service, host, endpoint and method that take what goes over a bound. Nobody else may use the name: neither
/// a configuration nor data could be told from the overflow, nor the overflow from them.
pub const OVERFLOW: &str = "__other__";

/// What data that calls itself [`OVERFLOW`] is counted as: an ordinary name.
const OVERFLOW_FIT: &str = "_other_";

/// Checks the name of a host or an environment in a configuration.
///
/// # Errors
/// What is wrong with it, and what to write instead.
pub fn check_given(name: &str) -> Result<(), String> {
    let instead = || fit_part(name);
    match check_name(name) {
        Ok(()) if name.trim() != name => {
            Err(format!("`{name}` begins or ends with a blank; write `{}`", instead()))
        }
        Ok(()) => check_not_overflow(name),
        Err(NameError::Empty) => Err("is empty or blank; write a name, or leave the setting out".to_owned()),
        Err(error @ NameError::Character(_)) => Err(format!("{error}; write `{}`", instead())),
        Err(error) => Err(error.to_string()),
    }
}

/// Checks the name of a service in a configuration: as [`check_given`], and none of a host's own service.
///
/// # Errors
/// What is wrong with it, and what to write instead.
pub fn check_given_service(name: &str) -> Result<(), String> {
    check_given(name)?;
    let instead = fit_service(name);
    if name.starts_with(HOST_SERVICE_PREFIX) {
        let kept = "is kept for the readings of a host itself";
        return Err(format!("`{name}`: what begins with `{HOST_SERVICE_PREFIX}` {kept}; write `{instead}`"));
    }
    Ok(())
}

/// Checks an endpoint in a configuration, which may hold `/` and braces.
///
/// # Errors
/// What is wrong with it, and what to write instead.
pub fn check_given_endpoint(name: &str) -> Result<(), String> {
    if name.trim().is_empty() {
        return Err("is empty or blank; write a name, or leave the setting out".to_owned());
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(NameError::TooLong(name.len()).to_string());
    }
    if let Some(control) = name.chars().find(|c| c.is_control()) {
        return Err(format!("holds the control character `{}`; leave it out", control.escape_debug()));
    }
    check_not_overflow(name)
}

fn check_not_overflow(name: &str) -> Result<(), String> {
    if name == OVERFLOW {
        return Err(format!("`{OVERFLOW}` is kept for what goes over a limit; write `{OVERFLOW_FIT}`"));
    }
    Ok(())
}

/// A service's name from data, made fit for an id: blanks around it go, characters that cannot stand in a
/// name become `_`, what is too long is cut, what is blank is [`UNKNOWN_SERVICE`]. A host's own service
/// (`host:<name>`) and [`OVERFLOW`] are not for data to name: they become `host_<name>` and `_other_`.
#[must_use]
pub fn fit_service(name: &str) -> String {
    let name = name.trim();
    let name = match name.strip_prefix(HOST_SERVICE_PREFIX) {
        Some(host) => Cow::Owned(format!("host_{host}")),
        None => Cow::Borrowed(name),
    };
    let fit = fit_part(&name);
    if fit.is_empty() { UNKNOWN_SERVICE.to_owned() } else { not_overflow(&fit).to_owned() }
}

/// The name, unless it is [`OVERFLOW`]: then the ordinary one that stands for it.
#[must_use]
pub fn not_overflow(name: &str) -> &str {
    if name == OVERFLOW { OVERFLOW_FIT } else { name }
}

/// A part of a service id, or nothing where it is blank.
fn fit_part(name: &str) -> String {
    let name = name.trim();
    let cut = name[..name.floor_char_boundary(NAME_BYTES_MAX)].trim_end();
    cut.chars().map(|c| if matches!(c, '/' | '{' | '}') || c.is_control() { '_' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_of_a_configuration_is_refused_with_what_to_write_instead() {
        for (name, instead) in [
            ("host:web-1", "write `host_web-1`"),
            ("__other__", "write `_other_`"),
            ("shop/cart", "write `shop_cart`"),
            (
                "shop\u{7}",
                "`\\u{7}` cannot stand in a name (not allowed: / { } and control characters); write `shop_`",
            ),
            (" shop", "write `shop`"),
            ("\u{3000}", "leave the setting out"),
        ] {
            let refused = check_given_service(name).expect_err(name);
            assert!(refused.contains(instead), "{name:?}: {refused}");
        }
        for name in ["shop", "결제", "order api", "hosts:web", "host_web", "unknown"] {
            assert_eq!(check_given_service(name), Ok(()));
        }
        assert_eq!(check_given("host:web"), Ok(()), "a host may be called so");
        assert!(check_given(OVERFLOW).is_err(), "hosts beyond what a window tells apart are called so");
    }

    #[test]
    fn an_endpoint_of_a_configuration_may_hold_what_paths_hold() {
        assert_eq!(check_given_endpoint("/orders/{id}"), Ok(()));
        for name in ["", " ", "__other__", "a\nb", &"x".repeat(NAME_BYTES_MAX + 1)] {
            assert!(check_given_endpoint(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn data_cannot_name_what_takes_the_overflow_however_it_is_written() {
        for name in ["__other__", " __other__\n", "/_other__", "{_other_}"] {
            assert_eq!(fit_service(name), "_other_", "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn a_service_that_was_made_fit_could_stand_in_a_configuration(name in "(host:)?[ _/{}\\x00-\\x1fa-z\u{3000}결]{0,90}") {
            let fit = fit_service(&name);
            prop_assert_eq!(check_given_service(&fit), Ok(()), "{:?}", fit);
            prop_assert_eq!(fit_service(&fit), fit);
        }
    }
}
