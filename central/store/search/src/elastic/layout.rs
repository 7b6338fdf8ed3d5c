//! Where lines and positions stand on the server, and what is made there.

use goldentime_follower::StoreError;
use reqwest::Method;
use serde_json::{Value, json};

use super::client::{Body, Http};
use super::config::{ElasticConfig, Layout};
use super::error::Failure;
use super::server::Server;

/// What is written today; a newer one is left alone.
const LAYOUT: i64 = 1;
/// Our mark in the mapping of what we make.
const MARK: &str = "goldentime_layout";
const DAY_S: i64 = 86_400;

/// Names on the server.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// The alias of dated indices or the data stream, and the template.
    pub(super) lines: String,
    /// The index of positions.
    pub(super) positions: String,
}

/// How lines are laid out, decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A data stream; the server drops what is old as well where it has lifecycles.
    Stream { has_lifecycle: bool },
    /// An index for each few days of the lines' own time.
    Dated { days: i64 },
}

impl Names {
    pub(super) fn of(prefix: &str) -> Self {
        Self { lines: format!("{prefix}-logs"), positions: format!("{prefix}-positions") }
    }
}

impl Kind {
    /// The index that a line of this instant belongs to.
    pub(super) fn index_of(self, names: &Names, at: i64) -> String {
        let Self::Dated { days } = self else { return names.lines.clone() };
        let day = at.div_euclid(DAY_S * 1_000_000_000).div_euclid(days) * days;
        let first = jiff::Timestamp::from_second(day * DAY_S).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        format!("{}-{}", names.lines, first.strftime("%Y.%m.%d"))
    }

    /// What a bulk request does with a line: in a data stream nothing can be written over.
    pub(super) const fn operation(self) -> &'static str {
        match self {
            Self::Stream { .. } => "create",
            Self::Dated { .. } => "index",
        }
    }
}

/// Finds out how lines are laid out and makes what is missing.
pub(super) async fn prepare(
    http: &Http,
    config: &ElasticConfig,
    names: &Names,
    place: &str,
) -> Result<Kind, StoreError> {
    let failed = |action| move |failure: Failure| failure.of(place, action);
    let server = Server::probe(http, &names.lines).await.map_err(failed("learn which server it is"))?;
    let found = existing(http, names, &server).await.map_err(failed("look for earlier lines"))?;
    let dated = Kind::Dated { days: config.days_per_index() };
    let stream = Kind::Stream { has_lifecycle: server.has_lifecycle };
    let kind = match (found, config.layout) {
        (Some(Layout::DataStream), _) | (None, Layout::DataStream) => stream,
        (None, Layout::Auto) if server.has_streams => stream,
        _ => dated,
    };
    make_positions(http, config, names).await.map_err(failed("make the index of positions"))?;
    make_template(http, config, names, kind).await.map_err(failed("make the index template"))?;
    for name in [&names.lines, &names.positions] {
        check_ours(http, name, place).await?;
    }
    tracing::info!(server = server.name, layout = ?kind, "log lines are kept on a search server");
    Ok(kind)
}

/// What an earlier start made.
async fn existing(http: &Http, names: &Names, server: &Server) -> Result<Option<Layout>, Failure> {
    if server.has_streams {
        let stream = http.ask(Method::GET, &format!("/_data_stream/{}", names.lines), None).await?;
        match stream.status {
            404 => {}
            _ => {
                let found: Value = stream.read()?;
                if found["data_streams"].as_array().is_some_and(|streams| !streams.is_empty()) {
                    return Ok(Some(Layout::DataStream));
                }
            }
        }
    }
    let alias = http.ask(Method::GET, &format!("/_alias/{}", names.lines), None).await?;
    if alias.status == 404 {
        // An index of that very name stands in the way of either.
        let index = http.ask(Method::HEAD, &format!("/{}", names.lines), None).await?;
        return match index.status {
            404 => Ok(None),
            _ => Err(Failure::Foreign(names.lines.clone())),
        };
    }
    alias.read::<Value>().map(|_| Some(Layout::Dated))
}

/// Makes the template that indices of lines are made by.
pub(super) async fn make_template(
    http: &Http,
    config: &ElasticConfig,
    names: &Names,
    kind: Kind,
) -> Result<(), Failure> {
    let mut template = json!({
        "settings": {
            "number_of_shards": config.shards,
            "number_of_replicas": config.replicas,
            "codec": "best_compression",
            // Searches refresh what they read.
            "refresh_interval": "30s",
        },
        "mappings": mapping(),
    });
    let mut body = json!({"priority": 500, "_meta": {MARK: LAYOUT}});
    match kind {
        Kind::Stream { has_lifecycle } => {
            body["index_patterns"] = json!([names.lines]);
            body["data_stream"] = json!({});
            if has_lifecycle {
                let seconds = config.retention.get().as_secs();
                template["lifecycle"] = json!({"data_retention": format!("{seconds}s")});
            }
        }
        Kind::Dated { .. } => {
            body["index_patterns"] = json!([format!("{}-*", names.lines)]);
            template["aliases"] = json!({&names.lines: {}});
        }
    }
    body["template"] = template;
    http.get::<Value>(Method::PUT, &format!("/_index_template/{}", names.lines), Some(&body)).await.map(drop)
}

/// Each line is a document. What is not named here is kept and not searched.
fn mapping() -> Value {
    json!({
        "_meta": {MARK: LAYOUT},
        "dynamic": false,
        // They are made of the rest, and as large again.
        "_source": {"excludes": ["words"]},
        "properties": {
            "@timestamp": {"type": "date_nanos"},
            // To the nanosecond, also before 1970, and to sort by.
            "at": {"type": "long"},
            "partition": {"type": "long"},
            "place": {"type": "long"},
            "service": {"type": "keyword"},
            "host": {"type": "keyword", "ignore_above": 8191},
            "level": {"type": "keyword", "ignore_above": 256},
            "grade": {"type": "keyword"},
            "message": {"type": "text", "index": false},
            "trace_id": {"type": "keyword", "normalizer": "lowercase", "ignore_above": 8191},
            "span_id": {"type": "keyword", "ignore_above": 8191},
            "attributes": {"type": "object", "enabled": false},
            "words": {"type": "text", "analyzer": "whitespace", "index_options": "docs", "norms": false},
            "bytes": {"type": "integer", "index": false},
        },
    })
}

/// Makes the index of positions where it is missing.
pub(super) async fn make_positions(
    http: &Http,
    config: &ElasticConfig,
    names: &Names,
) -> Result<(), Failure> {
    let body = json!({
        "settings": {"number_of_shards": 1, "number_of_replicas": config.replicas},
        "mappings": {"_meta": {MARK: LAYOUT}, "dynamic": false},
    });
    make_index(http, &names.positions, &body).await
}

/// Makes an index or data stream of lines, which the template describes.
pub(super) async fn make_lines(
    http: &Http,
    config: &ElasticConfig,
    names: &Names,
    kind: Kind,
    index: &str,
) -> Result<(), Failure> {
    make_template(http, config, names, kind).await?;
    match kind {
        Kind::Stream { .. } => make(http, &format!("/_data_stream/{index}"), None).await,
        Kind::Dated { .. } => make_index(http, index, &json!({})).await,
    }
}

async fn make_index(http: &Http, index: &str, body: &Value) -> Result<(), Failure> {
    make(http, &format!("/{index}"), Some(body)).await
}

async fn make(http: &Http, path: &str, body: Option<&Value>) -> Result<(), Failure> {
    let answer = http.ask(Method::PUT, path, body.map(Body::Json)).await?;
    let is_there = answer.status == 400 && answer.told().kind == "resource_already_exists_exception";
    if is_there || (200..300).contains(&answer.status) { Ok(()) } else { Err(answer.failure()) }
}

/// Refuses what we did not make, or what a newer version made.
async fn check_ours(http: &Http, name: &str, place: &str) -> Result<(), StoreError> {
    let path = format!("/{name}/_mapping?ignore_unavailable=true");
    let found: Result<Value, _> = http.get(Method::GET, &path, None).await;
    let found = found.map_err(|failure| failure.of(place, "read how lines are laid out"))?;
    for (index, about) in found.as_object().into_iter().flatten() {
        match about["mappings"]["_meta"][MARK].as_i64() {
            Some(LAYOUT) => {}
            Some(found) => {
                return Err(StoreError::Newer { place: format!("{place}/{index}"), found, known: LAYOUT });
            }
            None => return Err(Failure::Foreign(index.clone()).of(place, "use an index")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_belongs_to_the_index_of_its_own_days() {
        let names = Names::of("goldentime");
        let index = |days, at| Kind::Dated { days }.index_of(&names, at);
        assert_eq!(index(1, 1_700_000_000_000_000_000), "goldentime-logs-2023.11.14");
        assert_eq!(index(7, 1_700_000_000_000_000_000), "goldentime-logs-2023.11.09");
        assert_eq!(index(1, -1), "goldentime-logs-1969.12.31");
        assert_eq!(Kind::Stream { has_lifecycle: false }.index_of(&names, 0), "goldentime-logs");
    }
}
