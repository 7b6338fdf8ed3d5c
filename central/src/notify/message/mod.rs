//! What people read, in their language.
//!
//! Templates are in `templates/`, one file a language and part, by minijinja; they know
//! `notification`, `alert`, `external_url` and what [`Texts`] adds.

#[cfg(test)]
pub(super) mod testing;

use std::sync::Arc;

use goldentime_catalog::{Notification, PageKey, PageKind};
use goldentime_model::alert::label;
use goldentime_model::{Alert, AlertStatus, UnixNanos};
use minijinja::{AutoEscape, Environment, context};

use super::config::Language;
use super::group::ALERTS_PER_MESSAGE_MAX;
use super::start::NotifyError;

/// Where links lead when the configuration names no address.
const EXTERNAL_URL_DEFAULT: &str = "http://127.0.0.1:7700";

/// Writes texts in one language. Cheap to clone.
#[derive(Clone)]
pub struct Texts {
    language: Language,
    environment: Arc<Environment<'static>>,
    external_url: Arc<str>,
}

impl Texts {
    /// Texts in `language` with links to `external_url`.
    pub fn new(language: Language, external_url: Option<&str>) -> Result<Self, NotifyError> {
        let parts = match language {
            Language::En => [
                ("title", include_str!("templates/en.title.txt")),
                ("alert", include_str!("templates/en.alert.txt")),
                ("more", include_str!("templates/en.more.txt")),
            ],
            Language::Ko => [
                ("title", include_str!("templates/ko.title.txt")),
                ("alert", include_str!("templates/ko.alert.txt")),
                ("more", include_str!("templates/ko.more.txt")),
            ],
        };
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|name| match name {
            "html" => AutoEscape::Html,
            _ => AutoEscape::None,
        });
        for (name, source) in parts.into_iter().chain([("html", include_str!("templates/mail.html"))]) {
            environment
                .add_template(name, source.trim_end())
                .map_err(|error| NotifyError::Template { name, reason: error.to_string() })?;
        }
        let external_url = external_url.unwrap_or(EXTERNAL_URL_DEFAULT).trim_end_matches('/').into();
        Ok(Self { language, environment: Arc::new(environment), external_url })
    }

    /// Address of the dashboard, without a slash at its end.
    #[must_use]
    pub fn external_url(&self) -> &str {
        &self.external_url
    }

    /// One line: what, where, whether it burns.
    #[must_use]
    pub fn title(&self, notification: &Notification) -> String {
        let firing = notification.alerts.iter().filter(|a| a.status == AlertStatus::Firing).count();
        let part = |name: &str| notification.group_labels.get(name).cloned().unwrap_or_default();
        let has = |kind: &PageKind| notification.pages.iter().any(|page| page.kind == *kind);
        let is_repeat = |page: &PageKey| matches!(page.kind, PageKind::Repeated(_));
        let is_repeated = !notification.pages.is_empty() && notification.pages.iter().all(is_repeat);
        self.render(
            "title",
            context! { firing, escalated => has(&PageKind::Escalated), repeated => is_repeated, count => notification.alerts.len(), alertname => part(label::ALERTNAME),
            service => about(notification), environment => part(label::ENVIRONMENT) },
        )
    }

    /// Some lines: what happened, where, since when, what to do.
    #[must_use]
    pub fn alert(&self, alert: &Alert) -> String {
        let part = |name: &str| alert.labels.get(name).cloned();
        let note = |name: &str| match self.language {
            Language::En => alert.annotations.get(name).cloned(),
            Language::Ko => {
                let korean = alert.annotations.get(&format!("{name}_ko"));
                korean.or_else(|| alert.annotations.get(name)).cloned()
            }
        };
        self.render(
            "alert",
            context! {
                firing => alert.status == AlertStatus::Firing,
                alertname => part(label::ALERTNAME),
                service => part(label::SERVICE).or_else(|| part(label::SLO)),
                endpoint => part(label::ENDPOINT), method => part(label::METHOD), host => part(label::HOST),
                summary => note("summary"), description => note("description"),
                runbook_url => note("runbook_url"),
                starts_at => utc(alert.starts_at), ends_at => alert.ends_at.map(utc),
                url => self.url(alert),
            },
        )
    }

    /// One line or two: what and where.
    #[must_use]
    pub fn summary(&self, alert: &Alert) -> String {
        self.alert(alert).lines().take(2).collect::<Vec<_>>().join(": ")
    }

    /// Where the dashboard shows an alert.
    #[must_use]
    pub fn url(&self, alert: &Alert) -> String {
        format!("{}/?alert={}", self.external_url, alert.episode)
    }

    /// That `left` alerts are not shown.
    #[must_use]
    pub fn more(&self, left: usize) -> String {
        self.render("more", context! { left, external_url => &*self.external_url })
    }

    /// The whole notification as text.
    #[must_use]
    pub fn body(&self, notification: &Notification) -> String {
        self.paragraphs(notification).join("\n\n")
    }

    /// The whole notification as HTML.
    #[must_use]
    pub fn html(&self, notification: &Notification) -> String {
        let (title, paragraphs) = (self.title(notification), self.paragraphs(notification));
        self.render("html", context! { title, paragraphs, external_url => &*self.external_url })
    }

    fn paragraphs(&self, notification: &Notification) -> Vec<String> {
        let shown = notification.alerts.iter().take(ALERTS_PER_MESSAGE_MAX);
        let mut paragraphs: Vec<String> = shown.map(|alert| self.alert(alert)).collect();
        let left = notification.alerts.len().saturating_sub(ALERTS_PER_MESSAGE_MAX);
        if left > 0 {
            paragraphs.push(self.more(left));
        }
        paragraphs
    }

    /// A text that cannot be rendered must not keep a page back: then it says the little it can.
    fn render(&self, template: &'static str, values: minijinja::Value) -> String {
        let rendered = self.environment.get_template(template).and_then(|found| found.render(&values));
        rendered.unwrap_or_else(|error| {
            tracing::error!(template, error = &error as &dyn std::error::Error, "cannot render a text");
            format!("Goldentime alert: {}", self.external_url)
        })
    }
}

/// `text` within `chars_max` characters, with an ellipsis where it was cut.
#[must_use]
pub fn cut(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    text.chars().take(chars_max.saturating_sub(1)).chain(['…']).collect()
}

/// What the alerts of a group are about: a service, or an SLO over several.
fn about(notification: &Notification) -> String {
    let labels = &notification.group_labels;
    let slo = || notification.alerts.first().and_then(|alert| alert.labels.get(label::SLO));
    labels.get(label::SERVICE).or_else(slo).cloned().unwrap_or_default()
}

fn utc(at: UnixNanos) -> String {
    jiff::Timestamp::from_nanosecond(at.0.into())
        .map_or_else(|_| String::new(), |at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

#[cfg(test)]
mod tests {
    use super::testing::notification_of;
    use super::*;

    #[test]
    fn texts_are_written_in_the_language_of_the_channel() {
        let notification = notification_of(1, "p95 912 ms");
        let english = Texts::new(Language::En, None).expect("templates");
        let korean = Texts::new(Language::Ko, Some("https://g.example/")).expect("templates");
        assert_eq!(english.title(&notification), "[FIRING] slow-orders · order-api (prod)");
        assert_eq!(korean.title(&notification), "[발생] slow-orders · order-api (prod)");
        assert!(english.body(&notification).contains("p95 912 ms\nSince 1970-01-01 00:00:07 UTC"));
        assert!(korean.body(&notification).contains("시작 1970-01-01 00:00:07 UTC"));
        assert!(korean.body(&notification).contains("https://g.example/?alert="));
    }

    #[test]
    fn a_title_says_when_it_is_told_again_or_to_others() {
        let mut notification = notification_of(1, "p95 912 ms");
        for (kind, en, ko) in [
            (PageKind::Repeated(2), "[STILL FIRING] slow-orders", "[계속 발생] slow-orders"),
            (PageKind::Escalated, "[ESCALATED] slow-orders", "[에스컬레이션] slow-orders"),
        ] {
            notification.pages[0].kind = kind;
            for (language, begin) in [(Language::En, en), (Language::Ko, ko)] {
                let title = Texts::new(language, None).expect("templates").title(&notification);
                assert!(title.starts_with(begin), "{title}");
            }
        }
    }

    #[test]
    fn html_from_a_label_is_shown_and_not_run() {
        let html = Texts::new(Language::En, None).expect("templates").html(&notification_of(1, "<script>"));
        assert!(html.contains("&lt;script&gt;") && !html.contains("<script>"), "{html}");
    }
}
