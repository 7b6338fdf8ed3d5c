//! Which server it is, and what it can do.

use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use super::client::Http;
use super::error::Failure;

/// What is known of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    /// `Elasticsearch 8.19.21`.
    pub(super) name: String,
    /// It has data streams.
    pub(super) has_streams: bool,
    /// It drops what is old in a data stream by itself.
    pub(super) has_lifecycle: bool,
}

#[derive(Deserialize)]
struct Root {
    version: Version,
}

#[derive(Deserialize)]
struct Version {
    number: String,
    distribution: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Product {
    Elasticsearch,
    OpenSearch,
}

impl Server {
    /// Asks the cluster. `lines` is the name that lines are to have.
    pub(super) async fn probe(http: &Http, lines: &str) -> Result<Self, Failure> {
        let answer = http.ask(Method::GET, "/", None).await?;
        let (product, number) = match answer.status {
            200 => {
                let Root { version } = answer.read()?;
                let is_opensearch = version.distribution.is_some_and(|name| name == "opensearch");
                let product = if is_opensearch { Product::OpenSearch } else { Product::Elasticsearch };
                (product, version.number)
            }
            // A distribution without the module that answers here says who it is all the same.
            404 | 405 if answer.headers.contains_key("x-elastic-product") => {
                (Product::Elasticsearch, oldest_node(http).await?)
            }
            404 | 405 => return Err(Failure::Garbled(format!("status {}", answer.status))),
            _ => return Err(answer.failure()),
        };
        let version = served(product, &number)?;
        let stream = http.ask(Method::GET, &format!("/_data_stream/{lines}"), None).await?;
        let has_streams = match stream.status {
            200 | 404 => true,
            400 | 405 => false,
            _ => return Err(stream.failure()),
        };
        // Lifecycles came with 8.11 and were finished with 8.14.
        let has_lifecycle = has_streams && product == Product::Elasticsearch && version >= (8, 14);
        let name = match product {
            Product::Elasticsearch => format!("Elasticsearch {number}"),
            Product::OpenSearch => format!("OpenSearch {number}"),
        };
        Ok(Self { name, has_streams, has_lifecycle })
    }
}

async fn oldest_node(http: &Http) -> Result<String, Failure> {
    let path = "/_nodes/_all/http?filter_path=nodes.*.version";
    let answer: Value = http.get(Method::GET, path, None).await?;
    let nodes = answer["nodes"].as_object().into_iter().flatten();
    let versions = nodes.filter_map(|(_, node)| node["version"].as_str());
    let oldest = versions.min_by_key(|version| parts(version));
    oldest.map(str::to_owned).ok_or_else(|| Failure::Garbled("no node says its version".to_owned()))
}

/// The version, where it is one that is served.
fn served(product: Product, number: &str) -> Result<(u32, u32), Failure> {
    let (oldest, wanted) = match product {
        Product::Elasticsearch => ((7, 17), "Elasticsearch 7.17"),
        Product::OpenSearch => ((1, 3), "OpenSearch 1.3"),
    };
    let version = parts(number);
    if version < oldest {
        return Err(Failure::TooOld { found: format!("version {number}"), wanted });
    }
    Ok(version)
}

/// Major and minor; 0 for what is no number.
fn parts(version: &str) -> (u32, u32) {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}
