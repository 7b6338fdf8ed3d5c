//! What every backend must do, run against a fresh store for each case.

use std::future::Future;
use std::sync::Arc;

use futures_util::future::join_all;
use goldentime_model::{Second, UnixNanos};

use super::record::{AgentNote, Enrolled, Enrolment, Fingerprint, Revocations, TokenInfo, TokenState};
use super::store::AgentRegistry;
use crate::access::SecretHash;
use crate::store::BoxFuture;

type Shared = Arc<dyn AgentRegistry>;
type Case = fn(Shared) -> BoxFuture<'static, ()>;

const CASES: [(&str, Case); 8] = [
    ("a token is found by its secret, with its state", |s| Box::pin(states(s))),
    ("tokens are revoked by the first digits of their ids, once", |s| Box::pin(revoke_tokens(s))),
    ("a token lets in agents, and counts them", |s| Box::pin(enrolling(s))),
    ("a token that is not good lets in nobody and keeps nothing", |s| Box::pin(refusing(s))),
    ("agents who ask at once do not use a token more often than allowed", |s| Box::pin(contested(s))),
    ("an agent is revoked and restored, and both are seen", |s| Box::pin(revoking(s))),
    ("what an agent said last is kept, whatever comes in which order", |s| Box::pin(notes(s))),
    ("another registry is taken over whole, once, by an empty one", |s| Box::pin(importing(s))),
];

/// Runs every case, each over what `fresh` makes.
pub async fn run<F, Made>(fresh: F)
where
    F: Fn() -> Made,
    Made: Future<Output = Shared>,
{
    for (name, case) in CASES {
        eprintln!("registry: {name}");
        case(fresh().await).await;
    }
}

fn at(second: i64) -> UnixNanos {
    Second(second).start()
}

const fn secret(n: u8) -> SecretHash {
    SecretHash([n; 32])
}

fn token(n: u8) -> TokenInfo {
    TokenInfo {
        secret: secret(n),
        project: "shop".into(),
        created_at: at(n.into()),
        expires_at: None,
        revoked_at: None,
        uses: 0,
        uses_max: None,
    }
}

fn newcomer(n: u8) -> Enrolment {
    Enrolment {
        certificate: Fingerprint([n; 32]),
        agent: format!("agent-{n}"),
        project: "shop".into(),
        host: format!("web-{n}"),
    }
}

fn enrolled(n: u8, now: UnixNanos) -> Enrolled {
    let Enrolment { certificate, agent, project, host } = newcomer(n);
    let environment = "default".into();
    Enrolled {
        certificate,
        agent,
        project,
        host,
        environment,
        enrolled_at: now,
        last_seen: now,
        has_left: true,
        revoked_at: None,
    }
}

async fn state(s: &Shared, n: u8, now: UnixNanos) -> TokenState {
    let found = s.token(secret(n)).await.expect("reads");
    found.map_or(TokenState::Unknown, |token| token.state(now))
}

async fn states(s: Shared) {
    let limited = TokenInfo { expires_at: Some(at(50)), uses_max: Some(3), ..token(1) };
    s.add_token(limited.clone()).await.expect("keeps");
    s.add_token(token(2)).await.expect("keeps");
    assert!(s.add_token(token(2)).await.is_err(), "a secret is drawn once");
    assert_eq!(s.token(secret(1)).await.expect("reads"), Some(limited.clone()));
    assert_eq!(state(&s, 1, at(49)).await, TokenState::Good);
    assert_eq!(state(&s, 1, at(50)).await, TokenState::Expired);
    assert_eq!(state(&s, 3, at(1)).await, TokenState::Unknown);
    assert_eq!(s.tokens().await.expect("lists"), [token(2), limited]);
}

async fn revoke_tokens(s: Shared) {
    for n in [0xab, 0xac] {
        s.add_token(token(n)).await.expect("keeps");
    }
    assert_eq!(s.revoke_token("ABab", at(5)).await.expect("revokes"), 1);
    assert_eq!(s.revoke_token("abab", at(6)).await.expect("answers"), 0);
    assert_eq!(s.revoke_token("%", at(6)).await.expect("answers"), 0);
    assert_eq!(state(&s, 0xab, at(7)).await, TokenState::Revoked);
    assert_eq!(state(&s, 0xac, at(7)).await, TokenState::Good);
    let kept = s.token(secret(0xab)).await.expect("reads").expect("there");
    assert_eq!(kept.revoked_at, Some(at(5)));
}

async fn enrolling(s: Shared) {
    s.add_token(TokenInfo { uses_max: Some(2), ..token(1) }).await.expect("keeps");
    assert!(s.enrol(secret(1), newcomer(1), at(2)).await.expect("enrols"));
    assert_eq!(s.agent(Fingerprint([1; 32])).await.expect("reads"), Some(enrolled(1, at(2))));
    assert_eq!(s.agent(Fingerprint([2; 32])).await.expect("reads"), None);
    assert!(s.enrol(secret(1), newcomer(2), at(3)).await.expect("enrols"));
    assert_eq!(state(&s, 1, at(4)).await, TokenState::UsedUp);
    assert_eq!(s.agents().await.expect("lists"), [enrolled(2, at(3)), enrolled(1, at(2))]);
}

async fn refusing(s: Shared) {
    s.add_token(TokenInfo { expires_at: Some(at(5)), ..token(1) }).await.expect("keeps");
    s.add_token(token(0xcc)).await.expect("keeps");
    s.revoke_token("cccc", at(2)).await.expect("revokes");
    s.add_token(TokenInfo { uses_max: Some(1), ..token(3) }).await.expect("keeps");
    assert!(s.enrol(secret(3), newcomer(3), at(2)).await.expect("enrols"));
    for (n, now) in [(1, at(5)), (0xcc, at(3)), (3, at(3)), (4, at(3))] {
        assert!(!s.enrol(secret(n), newcomer(9), now).await.expect("answers"), "token {n}");
    }
    assert!(s.add_token(TokenInfo { uses_max: Some(9), ..token(5) }).await.is_ok());
    s.enrol(secret(5), newcomer(3), at(4)).await.expect_err("the agent is there already");
    assert_eq!(s.token(secret(5)).await.expect("reads").expect("there").uses, 0, "nothing was used");
    assert_eq!(s.agents().await.expect("lists").len(), 1);
}

async fn contested(s: Shared) {
    s.add_token(TokenInfo { uses_max: Some(3), ..token(1) }).await.expect("keeps");
    let asked = join_all((10..20).map(|n| s.enrol(secret(1), newcomer(n), at(2)))).await;
    let let_in = asked.into_iter().filter(|asked| *asked.as_ref().expect("answers")).count();
    assert_eq!(let_in, 3);
    assert_eq!(s.agents().await.expect("lists").len(), 3);
    assert_eq!(s.token(secret(1)).await.expect("reads").expect("there").uses, 3);
}

async fn revoking(s: Shared) {
    s.add_token(token(1)).await.expect("keeps");
    for n in [1, 2] {
        assert!(s.enrol(secret(1), newcomer(n), at(2)).await.expect("enrols"));
    }
    let none = s.revocations().await.expect("looks");
    assert_eq!(none, Revocations::default());
    assert!(s.revoke_agent("agent-1", at(7)).await.expect("revokes"));
    assert!(!s.revoke_agent("agent-1", at(8)).await.expect("answers"), "it is already");
    assert!(!s.revoke_agent("nobody\0", at(8)).await.expect("answers"));
    let one = s.revocations().await.expect("looks");
    assert_eq!(one, Revocations { count: 1, last: at(7) });
    assert_eq!(s.revoked().await.expect("lists"), ["agent-1"]);
    let revoked = s.agent(Fingerprint([1; 32])).await.expect("reads").expect("stays listed");
    assert_eq!(revoked.revoked_at, Some(at(7)));
    assert!(s.restore_agent("agent-1").await.expect("restores"));
    assert!(!s.restore_agent("agent-1").await.expect("answers"));
    assert_eq!(s.revocations().await.expect("looks"), none);
    assert_eq!(s.revoked().await.expect("lists"), Vec::<String>::new());
}

async fn notes(s: Shared) {
    s.add_token(token(1)).await.expect("keeps");
    for n in [1, 2] {
        assert!(s.enrol(secret(1), newcomer(n), at(2)).await.expect("enrols"));
    }
    let said = |agent: &str, second, has_left| AgentNote {
        agent: agent.into(),
        host: format!("host-{second}"),
        environment: "prod".into(),
        at: at(second),
        has_left,
    };
    s.note(vec![said("agent-1", 9, false), said("agent-2", 5, true), said("nobody", 5, true)])
        .await
        .expect("notes");
    s.note(vec![said("agent-1", 8, true)]).await.expect("answers");
    s.note(Vec::new()).await.expect("nothing to note");
    let of = |n: u8, second, has_left| Enrolled {
        host: format!("host-{second}"),
        environment: "prod".into(),
        last_seen: at(second),
        has_left,
        ..enrolled(n, at(2))
    };
    assert_eq!(s.agents().await.expect("lists"), [of(1, 9, false), of(2, 5, true)]);
    s.note(vec![said("agent-1", 9, true)]).await.expect("notes");
    assert_eq!(s.agents().await.expect("lists")[0], of(1, 9, true), "at the same instant the later stands");
}

async fn importing(s: Shared) {
    let tokens = vec![
        TokenInfo { revoked_at: Some(at(4)), uses: 2, ..token(2) },
        TokenInfo { expires_at: Some(at(9)), uses: 1, uses_max: Some(7), ..token(1) },
    ];
    let agents = vec![
        Enrolled { host: "h".into(), environment: "prod".into(), has_left: false, ..enrolled(2, at(6)) },
        Enrolled { revoked_at: Some(at(5)), ..enrolled(1, at(3)) },
    ];
    let twice = vec![enrolled(1, at(3)), enrolled(1, at(3))];
    s.import(tokens.clone(), twice).await.expect_err("one agent is there twice");
    assert_eq!(s.tokens().await.expect("lists"), [], "nothing is kept of it");
    assert!(s.import(tokens.clone(), agents.clone()).await.expect("takes over"));
    assert_eq!(s.tokens().await.expect("lists"), tokens);
    assert_eq!(s.agents().await.expect("lists"), agents);
    assert!(!s.import(vec![token(3)], Vec::new()).await.expect("answers"), "it is in use");
    assert_eq!(s.tokens().await.expect("lists"), tokens);
}
