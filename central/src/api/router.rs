//! The routes, and whom each is for.

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRef};
use axum::handler::Handler;
use axum::http::{Method, Uri};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use goldentime_catalog::Role::{Admin, Editor, Viewer};
use goldentime_model::problem::ProblemCode;

use super::authorize::{For, authorize};
use super::problem::Refusal;
use super::state::{ApiState, Front};
use super::{
    alerts, api_tokens, dashboard, dead_letters, episodes, guard, health, history, live, logs, samples,
    session, setup, status, v2, windows,
};

/// Largest body of a request.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// Largest body of alerts that a Prometheus posts: it sends 64 at a time.
const POSTED_ALERTS_BYTES_MAX: usize = 2 * 1024 * 1024;

/// One route. There is no way to make one without saying whom it is for.
struct Route<S = ApiState> {
    allowed: For,
    method: Method,
    path: &'static str,
    handler: MethodRouter<S>,
}

impl Route {
    /// Takes bodies of up to so many bytes.
    fn up_to(mut self, bytes: usize) -> Self {
        self.handler = self.handler.layer(DefaultBodyLimit::max(bytes));
        self
    }
}

/// What every central answers, whatever its roles are.
fn health_routes<S>() -> Vec<Route<S>>
where
    S: Clone + Send + Sync + 'static,
    Front: FromRef<S>,
{
    vec![
        get(For::Everybody, "/healthz", health::healthz),
        get(For::Everybody, "/readyz", health::readyz),
        get(For::ViewerOrThisMachine, "/metrics", health::metrics),
    ]
}

/// All routes but the dashboard's files, which hold nothing that is not in the binary.
fn routes() -> Vec<Route> {
    let viewer = For::Role(Viewer);
    let editor = For::Role(Editor);
    let admin = For::Role(Admin);
    let mut routes = health_routes();
    routes.extend([
        get(For::Everybody, "/api/v1/session", session::show),
        post(For::Everybody, "/api/v1/session", session::sign_in),
        delete(viewer, "/api/v1/session", session::sign_out),
        post(For::Everybody, "/api/v1/setup", setup::set_up),
        post(For::Everybody, "/api/v1/setup/link", setup::link),
        get(viewer, "/api/v1/sessions", session::own),
        delete(viewer, "/api/v1/sessions/{id}", session::end),
        get(admin, "/api/v1/api-tokens", api_tokens::list),
        post(admin, "/api/v1/api-tokens", api_tokens::create),
        delete(admin, "/api/v1/api-tokens/{id}", api_tokens::revoke),
        get(admin, "/api/v1/dead-letters", dead_letters::list),
        get(admin, "/api/v1/dead-letters/{id}", dead_letters::show),
        get(viewer, "/api/v1/services", status::services),
        get(viewer, "/api/v1/services/{project}/{environment}/{service}/history", history::history),
        get(viewer, "/api/v1/services/{project}/{environment}/{service}/series", history::series),
        get(viewer, "/api/v1/samples", samples::samples),
        get(viewer, "/api/v1/logs", logs::find::search),
        get(viewer, "/api/v1/logs/histogram", logs::find::histogram),
        get(viewer, "/api/v1/logs/tail", logs::tail::tail),
        get(viewer, "/api/v1/logs/{id}/context", logs::find::context),
        get(viewer, "/api/v1/traces/{trace_id}/logs", logs::find::trace),
        get(viewer, "/api/v1/windows", windows::window),
        get(viewer, "/api/v1/alerts", alerts::active),
        get(viewer, "/api/v1/alerts/history", alerts::history),
        get(viewer, "/api/v1/alerts/{episode}", episodes::show),
        post(editor, "/api/v1/alerts/{episode}/acknowledgement", episodes::acknowledge),
        delete(editor, "/api/v1/alerts/{episode}/acknowledgement", episodes::unacknowledge),
        post(editor, "/api/v1/alerts/{episode}/notes", episodes::write_note),
        get(viewer, "/api/v2/alerts", v2::alerts::list),
        post(editor, "/api/v2/alerts", v2::alerts::post).up_to(POSTED_ALERTS_BYTES_MAX),
        get(viewer, "/api/v2/alerts/groups", v2::alerts::groups),
        get(viewer, "/api/v2/silences", v2::silences::list),
        post(editor, "/api/v2/silences", v2::silences::keep),
        get(viewer, "/api/v2/silence/{id}", v2::silences::show),
        delete(editor, "/api/v2/silence/{id}", v2::silences::expire),
        get(viewer, "/api/v2/status", v2::status::status),
        get(viewer, "/api/v2/receivers", v2::status::receivers),
        get(viewer, "/api/v1/rules", status::rules),
        get(viewer, "/api/v1/agents", status::agents),
        get(viewer, "/api/v1/status", status::status),
        get(viewer, "/api/v1/live", live::live),
    ]);
    routes
}

/// Reads. Also answers HEAD.
fn get<H, T, S>(allowed: For, path: &'static str, handler: H) -> Route<S>
where
    H: Handler<T, S>,
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    Route { allowed, method: Method::GET, path, handler: on(MethodFilter::GET, handler) }
}

/// Makes or does something.
fn post<H: Handler<T, ApiState>, T: 'static>(allowed: For, path: &'static str, handler: H) -> Route {
    Route { allowed, method: Method::POST, path, handler: on(MethodFilter::POST, handler) }
}

/// Ends or removes something.
fn delete<H: Handler<T, ApiState>, T: 'static>(allowed: For, path: &'static str, handler: H) -> Route {
    Route { allowed, method: Method::DELETE, path, handler: on(MethodFilter::DELETE, handler) }
}

/// Every route as (method, path, whether somebody who is not known may ask), for those who check.
#[must_use]
pub fn declared() -> Vec<(Method, &'static str, bool)> {
    let declared = routes().into_iter();
    declared.map(|route| (route.method, route.path, route.allowed == For::Everybody)).collect()
}

/// All routes over this state.
pub(super) fn router(state: ApiState) -> Router {
    let front = Front::from_ref(&state);
    guarded(authorized(routes(), &front).fallback(other), &front).with_state(state)
}

/// The routes of a central without the role `api`.
pub(super) fn health_router(front: Front) -> Router {
    guarded(authorized(health_routes(), &front).fallback(elsewhere), &front).with_state(front)
}

fn authorized<S: Clone + Send + Sync + 'static>(routes: Vec<Route<S>>, front: &Front) -> Router<S> {
    routes.into_iter().fold(Router::new(), |router, Route { allowed, path, handler, .. }| {
        let authorized = middleware::from_fn_with_state((front.clone(), allowed), authorize);
        router.route(path, handler.route_layer(authorized))
    })
}

fn guarded<S: Clone + Send + Sync + 'static>(router: Router<S>, front: &Front) -> Router<S> {
    router
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(front.clone(), guard::guard))
}

async fn elsewhere() -> Response {
    let detail =
        "this central has not the role `api`: it answers /healthz, /readyz and /metrics; ask one that has it";
    Refusal::new(ProblemCode::NotFound, detail).into_response()
}

/// The dashboard's files; below `/api/` there is nothing but the routes.
async fn other(method: Method, uri: Uri, headers: axum::http::HeaderMap) -> Response {
    if uri.path().starts_with("/api/") {
        let detail = format!("there is no {}; docs/api.md lists what there is", uri.path());
        return Refusal::new(ProblemCode::NotFound, detail).into_response();
    }
    if method != Method::GET && method != Method::HEAD {
        return wrong_method().await;
    }
    dashboard::file(uri, headers).await
}

async fn wrong_method() -> Response {
    let detail = "this path is not answered with this method; docs/api.md lists what there is";
    Refusal::new(ProblemCode::MethodNotAllowed, detail).into_response()
}
