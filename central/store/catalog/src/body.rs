//! Alerts and notifications as they are stored: JSON that says of which layout it is.

use crate::store::CatalogueError;

/// Layout of the bodies, stored with each.
const LAYOUT: u32 = 1;

#[derive(serde::Serialize, serde::Deserialize)]
struct Body<T> {
    layout: u32,
    value: T,
}

/// A body of `backend`; `what` names the row in an error.
pub(crate) fn encode<T: serde::Serialize>(
    backend: &'static str,
    what: &str,
    value: &T,
) -> Result<String, CatalogueError> {
    let encoded = serde_json::to_string(&Body { layout: LAYOUT, value });
    encoded.map_err(|error| corrupt(backend, what, &error))
}

/// What [`encode`] was given.
pub(crate) fn decode<T: serde::de::DeserializeOwned>(
    backend: &'static str,
    what: &str,
    body: &str,
) -> Result<T, CatalogueError> {
    let body: Body<T> = serde_json::from_str(body).map_err(|error| corrupt(backend, what, &error))?;
    if body.layout > LAYOUT {
        return Err(CatalogueError::Newer {
            backend,
            place: what.to_owned(),
            found: body.layout.into(),
            known: LAYOUT.into(),
        });
    }
    Ok(body.value)
}

/// Plain JSON of `backend`, for columns that people read too.
pub(crate) fn encode_json<T: serde::Serialize>(
    backend: &'static str,
    what: &str,
    value: &T,
) -> Result<String, CatalogueError> {
    serde_json::to_string(value).map_err(|error| corrupt(backend, what, &error))
}

/// What [`encode_json`] was given.
pub(crate) fn decode_json<T: serde::de::DeserializeOwned>(
    backend: &'static str,
    what: &str,
    json: &str,
) -> Result<T, CatalogueError> {
    serde_json::from_str(json).map_err(|error| corrupt(backend, what, &error))
}

fn corrupt(backend: &'static str, what: &str, error: &serde_json::Error) -> CatalogueError {
    CatalogueError::Corrupt { backend, what: what.to_owned(), reason: error.to_string() }
}
