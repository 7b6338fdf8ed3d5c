//! The dashboard's files, which the binary carries.

use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use rust_embed::RustEmbed;

/// What `npm run build` left when this binary was built.
#[derive(RustEmbed)]
#[folder = "dashboard/dist"]
#[allow_missing = true]
struct Files;

/// What is shown by a central that was built without its dashboard.
const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Goldentime</title>\
    <h1>This central was built without its dashboard</h1>\
    <p>Build it with <code>make dashboard</code>, then build the central again. The API under \
    <code>/api/v1/</code>, <code>/metrics</code> and <code>/readyz</code> work all the same.</p></html>";

/// Hashed files never change; the page that names them is asked for each time.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
const REVALIDATE: &str = "no-cache";

/// A file, or the page itself for paths that only the page knows.
pub(super) async fn file(uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    let (name, file) = match Files::get(path) {
        Some(file) if !path.is_empty() => (path, file),
        _ if path.starts_with("api/") || path.starts_with("assets/") => {
            return StatusCode::NOT_FOUND.into_response();
        }
        _ => match Files::get("index.html") {
            Some(file) => ("index.html", file),
            None => return Html(NOT_BUILT).into_response(),
        },
    };
    let tag = format!("\"{}\"", hex(&file.metadata.sha256_hash()));
    let fresh = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let caching = if name.starts_with("assets/") { IMMUTABLE } else { REVALIDATE };
    let common = [(header::ETAG, tag), (header::CACHE_CONTROL, caching.to_owned())];
    if fresh {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    (common, [(header::CONTENT_TYPE, content_type(name))], file.data).into_response()
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        Some("json" | "webmanifest") => "application/json",
        Some("ico") => "image/x-icon",
        _ => "application/octet-stream",
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
