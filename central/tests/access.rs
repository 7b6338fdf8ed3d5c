//! Who may ask, over real HTTP: roles of every route, signing in and out, set-up links, API tokens, what
//! pages of other origins may not do, and what ends when it should.

mod stage;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use goldentime_catalog::Role;
use goldentime_central::access::set_up::LINK_LIFETIME;
use goldentime_central::api::HttpConfig;
use goldentime_central::api::config::Auth;
use goldentime_central::api::router::declared;
use goldentime_model::UnixNanos;
use goldentime_runtime::ManualClock;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use stage::{Props, Stage};
use tokio::time::timeout;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

const NOW: UnixNanos = UnixNanos(1_800_000_000_000_000_000);
const MINUTE_NS: i64 = 60 * 1_000_000_000;
const HOUR_NS: i64 = 60 * MINUTE_NS;
const PASSWORD: &str = "correct horse battery";
const LIVE: &str = "/api/v1/live";
const TAIL: &str = "/api/v1/logs/tail";

/// A central with a clock that is set by hand.
struct Central {
    stage: Stage,
    clock: Arc<ManualClock>,
}

/// What a request brings.
#[derive(Clone, Default)]
struct Brings(Vec<(&'static str, String)>);

impl Brings {
    fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.push((name, value.into()));
        self
    }

    fn token(token: &str) -> Self {
        Self::default().header("authorization", format!("Bearer {token}"))
    }

    /// As a page of our own sends it.
    fn cookie(cookie: &str) -> Self {
        Self::default().header("cookie", cookie).header("sec-fetch-site", "same-origin")
    }

    fn map(&self) -> HeaderMap {
        let pair = |(name, value): &(&'static str, String)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a header"))
        };
        self.0.iter().map(pair).collect()
    }
}

impl Central {
    async fn start(auth: Auth) -> Self {
        let clock = ManualClock::at(NOW);
        let http = HttpConfig { auth, ..HttpConfig::default() };
        let props = Props { http, clock: Arc::clone(&clock) as _, ..Props::default() };
        Self { stage: Stage::start(props).await, clock }
    }

    /// One with an admin `kim`; gives their cookie.
    async fn with_admin() -> (Self, String) {
        let central = Self::start(Auth::LoopbackOpen).await;
        let cookie = central.set_up("kim", Role::Admin).await;
        (central, cookie)
    }

    async fn set_up(&self, name: &str, role: Role) -> String {
        let token = self.stage.access.make_link(role, None, LINK_LIFETIME).await.expect("made").to_string();
        let answer =
            self.post("/api/v1/setup", json!({"token": token, "name": name, "password": PASSWORD})).await;
        assert_eq!(answer.status(), 200);
        cookie(&answer)
    }

    async fn token(&self, role: Role, lifetime: Option<Duration>) -> String {
        let made = self.stage.access.create_api_token("test", role, lifetime, "test").await;
        made.expect("made").0.to_string()
    }

    async fn ask(&self, method: Method, path: &str, brings: &Brings, body: Option<Value>) -> Response {
        let client = goldentime_testkit::http_client();
        let mut request = client.request(method, self.stage.url(path)).headers(brings.map());
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await.expect("answers")
    }

    async fn status(&self, path: &str, brings: &Brings) -> u16 {
        self.ask(Method::GET, path, brings, None).await.status().as_u16()
    }

    async fn post(&self, path: &str, body: Value) -> Response {
        self.ask(Method::POST, path, &Brings::default(), Some(body)).await
    }

    async fn sign_in(&self, name: &str, password: &str) -> Response {
        self.post("/api/v1/session", json!({"name": name, "password": password})).await
    }

    /// Connects to a WebSocket, or gives the status of the refusal.
    async fn watch(
        &self,
        path: &str,
        brings: &Brings,
    ) -> Result<
        tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>,
        u16,
    > {
        let url = format!("ws://{}{path}", self.stage.address);
        let mut request = url.into_client_request().expect("valid");
        for (name, value) in &brings.0 {
            request.headers_mut().insert(*name, value.parse().expect("a header"));
        }
        match connect_async(request).await {
            Ok((socket, _)) => Ok(socket),
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }
}

/// `name=value` of the cookie that an answer sets.
fn cookie(answer: &Response) -> String {
    let set = answer.headers()["set-cookie"].to_str().expect("text");
    set.split(';').next().expect("a pair").to_owned()
}

async fn code(answer: Response) -> String {
    let problem: Value = answer.json().await.expect("a problem");
    problem["code"].as_str().expect("a code").to_owned()
}

#[tokio::test]
async fn every_route_refuses_who_is_not_known_but_those_declared_for_everybody() {
    let central = Central::start(Auth::Required).await;
    let mut for_everybody = Vec::new();
    for (method, path, is_for_everybody) in declared() {
        if is_for_everybody {
            for_everybody.push(format!("{method} {path}"));
            continue;
        }
        let asked = path.replace("{id}", "x");
        // `/metrics` answers this machine; a proxy's clients are not this machine.
        let brings = Brings::default().header("x-forwarded-for", "203.0.113.7");
        let answer = central.ask(method.clone(), &asked, &brings, None).await;
        assert_eq!(answer.status(), 401, "{method} {path}");
        assert!(answer.headers().contains_key("www-authenticate"), "{method} {path}");
        assert_eq!(code(answer).await, "sign_in_required", "{method} {path}");
    }
    assert_eq!(
        for_everybody,
        [
            "GET /healthz",
            "GET /readyz",
            "GET /api/v1/session",
            "POST /api/v1/session",
            "POST /api/v1/setup",
            "POST /api/v1/setup/link",
        ]
    );
}

#[tokio::test]
async fn without_accounts_this_machine_may_look_and_change_nothing() {
    let central = Central::start(Auth::LoopbackOpen).await;
    let nothing = Brings::default();
    assert_eq!(central.stage.get("/api/v1/session").await.1["state"], "open");
    assert_eq!(central.status("/api/v1/services", &nothing).await, 200);
    let made = central.post("/api/v1/api-tokens", json!({"name": "a", "role": "admin"})).await;
    assert_eq!((made.status().as_u16(), code(made).await.as_str()), (403, "role_too_low"));
    let proxied = Brings::default().header("x-forwarded-for", "203.0.113.7");
    assert_eq!(central.status("/api/v1/services", &proxied).await, 401, "a proxy's clients are not here");
    let wrong = Brings::token("gta_0000000000000000000000000000000000000000");
    assert_eq!(central.status("/api/v1/services", &wrong).await, 401, "a bad token is not passed over");
    assert_eq!(central.status("/metrics", &nothing).await, 200);

    let cookie = central.set_up("kim", Role::Admin).await;
    assert_eq!(central.status("/api/v1/services", &nothing).await, 401, "now everybody signs in");
    assert_eq!(central.status("/api/v1/services", &Brings::cookie(&cookie)).await, 200);
    assert_eq!(central.status("/metrics", &nothing).await, 200, "still for programs on this machine");
    assert_eq!(central.status("/metrics", &proxied).await, 401);
}

#[tokio::test]
async fn who_signs_in_gets_a_cookie_that_no_script_reads_and_signing_out_ends_it() {
    let (central, _) = Central::with_admin().await;
    let answer = central.sign_in("KIM", PASSWORD).await;
    assert_eq!(answer.status(), 200);
    let set = answer.headers()["set-cookie"].to_str().expect("text").to_owned();
    for part in ["goldentime-7700=", "; HttpOnly", "; SameSite=Strict", "; Path=/"] {
        assert!(set.contains(part), "{part} not in {set}");
    }
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let cookie = cookie(&answer);
    let session: Value = answer.json().await.expect("JSON");
    assert_eq!((&session["name"], &session["role"]), (&json!("kim"), &json!("admin")));

    let brings = Brings::cookie(&cookie);
    assert_eq!(central.status("/api/v1/alerts", &brings).await, 200);
    let ended = central.ask(Method::DELETE, "/api/v1/session", &brings, None).await;
    assert_eq!(ended.status(), 204);
    assert!(ended.headers()["set-cookie"].to_str().expect("text").contains("Max-Age=0"));
    assert_eq!(central.status("/api/v1/alerts", &brings).await, 401, "the cookie is worth nothing any more");
}

#[tokio::test]
async fn a_planted_cookie_is_never_taken_over() {
    let (central, _) = Central::with_admin().await;
    let planted = format!("goldentime-7700={}", "5".repeat(64));
    let brings = Brings::cookie(&planted);
    let body = json!({"name": "kim", "password": PASSWORD});
    let answer = central.ask(Method::POST, "/api/v1/session", &brings, Some(body)).await;
    assert_ne!(cookie(&answer), planted);
    assert_eq!(central.status("/api/v1/alerts", &brings).await, 401);
}

#[tokio::test]
async fn a_wrong_name_answers_as_a_wrong_password_and_guessing_is_slowed() {
    let (central, _) = Central::with_admin().await;
    let mut answers = Vec::new();
    for (name, password) in [("kim", "wrong horse battery"), ("lee", PASSWORD)] {
        let answer = central.sign_in(name, password).await;
        assert_eq!(answer.status(), 401);
        answers.push(answer.json::<Value>().await.expect("a problem"));
    }
    assert_eq!(answers[0], answers[1]);
    for _ in 0..4 {
        assert_eq!(central.sign_in("kim", "wrong horse battery").await.status(), 401);
    }
    let slowed = central.sign_in("kim", PASSWORD).await;
    assert_eq!(slowed.status(), 429, "even the right one waits");
    assert_eq!(slowed.headers()["retry-after"], "300");
    central.clock.advance(5 * MINUTE_NS);
    assert_eq!(central.sign_in("kim", PASSWORD).await.status(), 200);
}

#[tokio::test]
async fn a_session_ends_when_it_is_not_used_and_at_the_latest_after_its_lifetime() {
    let (central, cookie) = Central::with_admin().await;
    let brings = Brings::cookie(&cookie);
    for _ in 0..31 {
        central.clock.advance(23 * HOUR_NS);
        assert_eq!(central.status("/api/v1/alerts", &brings).await, 200, "it is used each day");
    }
    central.clock.advance(8 * HOUR_NS);
    assert_eq!(central.status("/api/v1/alerts", &brings).await, 401, "30 days are over");

    let answer = central.sign_in("kim", PASSWORD).await;
    let brings = Brings::cookie(&self::cookie(&answer));
    central.clock.advance(24 * HOUR_NS);
    assert_eq!(central.status("/api/v1/alerts", &brings).await, 401, "a day without use");
}

#[tokio::test]
async fn ones_own_sessions_are_listed_and_ended_and_those_of_others_are_not() {
    let (central, kim) = Central::with_admin().await;
    let lee = Brings::cookie(&central.set_up("lee", Role::Viewer).await);
    let second = cookie(&central.sign_in("kim", PASSWORD).await);
    let listed = central.ask(Method::GET, "/api/v1/sessions", &Brings::cookie(&second), None).await;
    let listed: Vec<Value> = listed.json().await.expect("a list");
    assert_eq!(listed.len(), 2);
    let other = listed.iter().find(|session| session["current"] == false).expect("the first");
    let path = format!("/api/v1/sessions/{}", other["id"].as_str().expect("an id"));
    assert_eq!(central.ask(Method::DELETE, &path, &lee, None).await.status(), 404);
    assert_eq!(central.ask(Method::DELETE, &path, &Brings::cookie(&second), None).await.status(), 204);
    assert_eq!(central.status("/api/v1/alerts", &Brings::cookie(&kim)).await, 401);
    assert_eq!(central.status("/api/v1/alerts", &Brings::cookie(&second)).await, 200);
}

#[tokio::test]
async fn pages_of_other_origins_change_nothing_even_with_the_cookie() {
    let (central, cookie) = Central::with_admin().await;
    let token = json!({"name": "a", "role": "admin"});
    let with = |name, value: &str| Brings::default().header("cookie", &cookie).header(name, value);
    let own = format!("http://{}", central.stage.address);
    for (brings, status) in [
        (Brings::default().header("cookie", &cookie), 403),
        (with("origin", "http://evil.example"), 403),
        (with("origin", "null"), 403),
        (with("sec-fetch-site", "cross-site"), 403),
        (with("sec-fetch-site", "same-site"), 403),
        (with("origin", &own), 201),
        (with("sec-fetch-site", "same-origin"), 201),
    ] {
        let answer = central.ask(Method::POST, "/api/v1/api-tokens", &brings, Some(token.clone())).await;
        assert_eq!(answer.status(), status, "{:?}", brings.0);
    }
    // Signing somebody in as somebody else is a change as well.
    let foreign = Brings::default().header("origin", "http://evil.example");
    let body = json!({"name": "kim", "password": PASSWORD});
    let answer = central.ask(Method::POST, "/api/v1/session", &foreign, Some(body)).await;
    assert_eq!(code(answer).await, "origin_not_allowed");
}

#[tokio::test]
async fn what_is_watched_live_needs_a_credential_of_its_own_origin() {
    let (central, cookie) = Central::with_admin().await;
    let foreign = Brings::default().header("cookie", &cookie).header("origin", "http://evil.example");
    let own = Brings::default()
        .header("cookie", &cookie)
        .header("origin", format!("http://{}", central.stage.address));
    let token = Brings::token(&central.token(Role::Viewer, None).await);
    for path in [LIVE, TAIL] {
        assert_eq!(central.watch(path, &Brings::default()).await.err(), Some(401), "{path}");
        assert_eq!(central.watch(path, &foreign).await.err(), Some(403), "{path}");
        assert!(central.watch(path, &own).await.is_ok(), "{path}");
        assert!(central.watch(path, &token).await.is_ok(), "{path}");
    }
}

#[tokio::test]
async fn what_is_watched_live_is_cut_when_its_session_ends() {
    let (central, cookie) = Central::with_admin().await;
    let brings = Brings::cookie(&cookie);
    let mut live = central.watch(LIVE, &brings).await.expect("connects");
    let mut tail = central.watch(TAIL, &brings).await.expect("connects");
    let subscribe = Message::text(json!({"type": "subscribe", "view": "home"}).to_string());
    futures_util::SinkExt::send(&mut live, subscribe).await.expect("sends");
    assert!(live.next().await.expect("open").is_ok(), "a snapshot");
    assert_eq!(central.ask(Method::DELETE, "/api/v1/session", &brings, None).await.status(), 204);
    for socket in [&mut live, &mut tail] {
        let cut = async { while let Some(Ok(_)) = socket.next().await {} };
        timeout(Duration::from_secs(20), cut).await.expect("the connection is cut");
    }
}

#[tokio::test]
async fn a_token_does_what_its_role_may_until_it_expires_or_is_revoked() {
    let (central, cookie) = Central::with_admin().await;
    let viewer = Brings::token(&central.token(Role::Viewer, Some(Duration::from_secs(3600))).await);
    let admin = Brings::token(&central.token(Role::Admin, None).await);
    let wanted = json!({"name": "scraper", "role": "viewer", "expires_in": "90d"});
    assert_eq!(central.status("/api/v1/services", &viewer).await, 200);
    let refused = central.ask(Method::POST, "/api/v1/api-tokens", &viewer, Some(wanted.clone())).await;
    assert_eq!(code(refused).await, "role_too_low");

    // A program sends no `Origin`, and needs none.
    let made = central.ask(Method::POST, "/api/v1/api-tokens", &admin, Some(wanted)).await;
    assert_eq!(made.status(), 201);
    let made: Value = made.json().await.expect("a token");
    let scraper = Brings::token(made["token"].as_str().expect("shown once"));
    assert_eq!(central.status("/metrics", &scraper.clone().header("x-forwarded-for", "1.2.3.4")).await, 200);
    let path = format!("/api/v1/api-tokens/{}", made["id"].as_str().expect("an id"));
    assert_eq!(central.ask(Method::DELETE, &path, &Brings::cookie(&cookie), None).await.status(), 204);
    assert_eq!(central.ask(Method::DELETE, &path, &Brings::cookie(&cookie), None).await.status(), 404);
    assert_eq!(central.status("/api/v1/services", &scraper).await, 401);

    central.clock.advance(HOUR_NS);
    assert_eq!(central.status("/api/v1/services", &viewer).await, 401, "expired");
    let listed = central.ask(Method::GET, "/api/v1/api-tokens", &admin, None).await;
    let text = listed.text().await.expect("a list");
    let listed: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    let scraper = listed.iter().find(|token| token["name"] == "scraper").expect("listed");
    assert_eq!(scraper["used_at_ms"], NOW.as_millis());
    assert!(scraper["revoked_at_ms"].is_i64() && !text.contains("gta_"), "{text}");
}

#[tokio::test]
async fn a_set_up_link_works_once_in_time_and_for_a_good_password() {
    let central = Central::start(Auth::Required).await;
    let link = async || {
        let made = central.stage.access.make_link(Role::Admin, None, LINK_LIFETIME).await;
        made.expect("made").to_string()
    };
    let token = link().await;
    let shown = central.post("/api/v1/setup/link", json!({"token": token})).await;
    let shown: Value = shown.json().await.expect("JSON");
    assert_eq!(shown["role"], "admin");
    let use_it = async |token: &str, name: &str, password: &str| {
        let body = json!({"token": token, "name": name, "password": password});
        let answer = central.post("/api/v1/setup", body).await;
        (answer.status().as_u16(), answer.json::<Value>().await.expect("JSON")["detail"].to_string())
    };
    for (name, password, says) in [
        ("kim", "short", "12 characters"),
        ("kim", "kim-password-1234", "first that are tried"),
        (" kim", PASSWORD, "no space"),
    ] {
        let (status, detail) = use_it(&token, name, password).await;
        assert!(status == 400 && detail.contains(says), "{status} {detail}");
    }
    assert_eq!(use_it(&token, "kim", PASSWORD).await.0, 200);
    assert_eq!(use_it(&token, "lee", PASSWORD).await.0, 404, "used");
    let token = link().await;
    assert_eq!(use_it(&token, "Kim", PASSWORD).await.0, 409, "the name is taken");
    central.clock.advance(24 * HOUR_NS);
    assert_eq!(use_it(&token, "lee", PASSWORD).await.0, 404, "expired");
    assert_eq!(use_it("gts_guess", "lee", PASSWORD).await.0, 404);
}

#[tokio::test]
async fn bodies_that_are_no_request_are_refused_by_name() {
    let central = Central::start(Auth::Required).await;
    let client = goldentime_testkit::http_client();
    let send = async |content_type: &str, body: String| {
        let request = client.post(central.stage.url("/api/v1/session")).header("content-type", content_type);
        request.body(body).send().await.expect("answers").status().as_u16()
    };
    assert_eq!(send("text/plain", "{}".into()).await, 400, "what a plain form can send");
    assert_eq!(send("application/json", "{".into()).await, 400);
    assert_eq!(send("application/json", json!({"name": "kim", "pass": "x"}).to_string()).await, 400);
    assert_eq!(send("application/json", format!("\"{}\"", "x".repeat(100_000))).await, 413);
}
