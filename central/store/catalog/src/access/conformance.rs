//! What every backend must do, run against a fresh store for each case.

use std::future::Future;
use std::sync::Arc;

use futures_util::future::join;
use goldentime_model::{Second, UnixNanos};

use super::record::{ApiToken, NewAccount, Removed, Role, SecretHash, Session, SetupLink};
use super::store::{AccessStore, SESSIONS_MAX};
use crate::store::BoxFuture;

type Shared = Arc<dyn AccessStore>;
type Case = fn(Shared) -> BoxFuture<'static, ()>;

const CASES: [(&str, Case); 10] = [
    ("a set-up link makes one account, once", |s| Box::pin(link_once(s))),
    ("a link of a name sets that account's password and ends its sessions", |s| Box::pin(link_of_name(s))),
    ("a link that cannot be used stays", |s| Box::pin(link_stays(s))),
    ("names that differ in case alone are one account", |s| Box::pin(one_name(s))),
    ("the last admin stays", |s| Box::pin(last_admin(s))),
    ("two removals at once leave an admin", |s| Box::pin(two_removals(s))),
    ("a session is found by its secret until it is ended", |s| Box::pin(sessions(s))),
    ("the oldest of too many sessions ends", |s| Box::pin(too_many_sessions(s))),
    ("a token is revoked once and stays listed", |s| Box::pin(tokens(s))),
    ("pruning forgets only what gives no access any more", |s| Box::pin(pruning(s))),
];

/// Runs every case, each over what `fresh` makes.
pub async fn run<F, Made>(fresh: F)
where
    F: Fn() -> Made,
    Made: Future<Output = Shared>,
{
    for (name, case) in CASES {
        eprintln!("access: {name}");
        case(fresh().await).await;
    }
}

fn at(second: i64) -> UnixNanos {
    Second(second).start()
}

const fn secret(n: u8) -> SecretHash {
    SecretHash([n; 32])
}

fn link(n: u8, role: Role, name: Option<&str>) -> SetupLink {
    let name = name.map(str::to_owned);
    SetupLink { secret: secret(n), role, name, created_at: at(1), expires_at: at(100) }
}

fn new(name: &str, password_hash: &str) -> NewAccount {
    NewAccount { name: name.into(), password_hash: password_hash.into() }
}

fn session_of(account: &str, n: u8) -> Session {
    let (created_at, ends_at) = (at(n.into()), at(1_000));
    let address = "10.0.0.1".into();
    Session { secret: secret(n), account: account.into(), address, created_at, seen_at: created_at, ends_at }
}

async fn made(s: &Shared, n: u8, name: &str, role: Role) {
    s.add_setup_link(link(n, role, None)).await.expect("keeps");
    let account = s.use_setup_link(secret(n), at(2), new(name, "hash")).await.expect("makes");
    assert_eq!(account.expect("usable").name, name);
}

async fn link_once(s: Shared) {
    assert!(!s.has_accounts().await.expect("looks"));
    s.add_setup_link(link(1, Role::Admin, None)).await.expect("keeps");
    assert_eq!(s.setup_link(secret(1), at(99)).await.expect("reads"), Some(link(1, Role::Admin, None)));
    let account = s.use_setup_link(secret(1), at(2), new("kim", "hash")).await.expect("makes");
    let account = account.expect("usable");
    assert_eq!((account.name.as_str(), account.role, account.created_at), ("kim", Role::Admin, at(2)));
    assert_eq!(s.use_setup_link(secret(1), at(2), new("lee", "hash")).await.expect("answers"), None);
    assert!(s.has_accounts().await.expect("looks"));
    assert_eq!(s.account("kim").await.expect("reads"), Some((account.clone(), "hash".into())));
    assert_eq!(s.accounts().await.expect("lists"), [account]);
    assert_eq!(s.setup_links(at(3)).await.expect("lists"), []);
}

async fn link_of_name(s: Shared) {
    made(&s, 1, "kim", Role::Admin).await;
    assert!(s.add_session(session_of("kim", 9)).await.expect("keeps"));
    s.add_setup_link(link(2, Role::Viewer, Some("KIM"))).await.expect("keeps");
    let account = s.use_setup_link(secret(2), at(5), new("kim", "another")).await.expect("sets");
    assert_eq!(account.expect("usable").role, Role::Admin, "an account that is there keeps its role");
    assert_eq!(s.account("kim").await.expect("reads").expect("there").1, "another");
    assert_eq!(s.session(secret(9)).await.expect("reads"), None);
}

async fn link_stays(s: Shared) {
    made(&s, 1, "kim", Role::Admin).await;
    s.add_setup_link(link(2, Role::Viewer, None)).await.expect("keeps");
    s.add_setup_link(link(3, Role::Viewer, Some("lee"))).await.expect("keeps");
    for (n, now, name) in [(2, 5, "Kim"), (3, 5, "kim"), (3, 100, "lee"), (4, 5, "lee")] {
        let used = s.use_setup_link(secret(n), at(now), new(name, "stolen")).await.expect("answers");
        assert_eq!(used, None, "link {n} for {name} at {now}");
    }
    assert_eq!(s.account("kim").await.expect("reads").expect("there").1, "hash");
    assert_eq!(s.setup_links(at(5)).await.expect("lists").len(), 2);
    assert_eq!(s.setup_link(secret(3), at(100)).await.expect("reads"), None, "expired");
}

async fn one_name(s: Shared) {
    made(&s, 1, "Élodie", Role::Admin).await;
    assert_eq!(s.account("éLODIE").await.expect("reads").expect("there").0.name, "Élodie");
    assert!(s.add_session(session_of("ÉLODIE", 9)).await.expect("keeps"));
    assert_eq!(s.sessions("élodie").await.expect("lists")[0].account, "Élodie");
}

async fn last_admin(s: Shared) {
    made(&s, 1, "kim", Role::Admin).await;
    made(&s, 2, "lee", Role::Viewer).await;
    assert!(s.add_session(session_of("lee", 9)).await.expect("keeps"));
    assert_eq!(s.remove_account("kim").await.expect("answers"), Removed::LastAdmin);
    assert_eq!(s.remove_account("nobody").await.expect("answers"), Removed::Unknown);
    assert_eq!(s.remove_account("LEE").await.expect("removes"), Removed::Gone);
    assert_eq!(s.session(secret(9)).await.expect("reads"), None, "its sessions end with it");
    made(&s, 3, "park", Role::Admin).await;
    assert_eq!(s.remove_account("kim").await.expect("removes"), Removed::Gone);
}

async fn two_removals(s: Shared) {
    made(&s, 1, "kim", Role::Admin).await;
    made(&s, 2, "lee", Role::Admin).await;
    let (kim, lee) = join(s.remove_account("kim"), s.remove_account("lee")).await;
    let mut removed = [kim.expect("answers"), lee.expect("answers")];
    removed.sort_by_key(|removed| *removed == Removed::LastAdmin);
    assert_eq!(removed, [Removed::Gone, Removed::LastAdmin]);
}

async fn sessions(s: Shared) {
    made(&s, 1, "kim", Role::Editor).await;
    assert!(!s.add_session(session_of("nobody", 8)).await.expect("answers"));
    assert!(s.add_session(session_of("kim", 9)).await.expect("keeps"));
    s.touch_session(secret(9), at(50)).await.expect("notes");
    let (session, account) = s.session(secret(9)).await.expect("reads").expect("there");
    assert_eq!(session, Session { seen_at: at(50), ..session_of("kim", 9) });
    assert_eq!(account.role, Role::Editor);
    assert!(s.end_session(secret(9)).await.expect("ends"));
    assert!(!s.end_session(secret(9)).await.expect("answers"));
    s.touch_session(secret(9), at(60)).await.expect("notes nothing");
    assert_eq!(s.session(secret(9)).await.expect("reads"), None);
}

async fn too_many_sessions(s: Shared) {
    made(&s, 1, "kim", Role::Viewer).await;
    let most = u8::try_from(SESSIONS_MAX).expect("small");
    for n in 2..=most + 2 {
        assert!(s.add_session(session_of("kim", n)).await.expect("keeps"));
    }
    assert_eq!(s.sessions("kim").await.expect("lists").len(), usize::from(most));
    assert_eq!(s.session(secret(2)).await.expect("reads"), None);
}

async fn tokens(s: Shared) {
    let token = ApiToken {
        secret: secret(1),
        name: "scraper".into(),
        role: Role::Viewer,
        created_by: "kim".into(),
        created_at: at(1),
        expires_at: Some(at(50)),
        used_at: None,
        revoked_at: None,
    };
    s.add_api_token(token.clone()).await.expect("keeps");
    s.touch_api_token(secret(1), at(7)).await.expect("notes");
    let used = ApiToken { used_at: Some(at(7)), ..token };
    assert_eq!(s.api_token(secret(1)).await.expect("reads"), Some(used.clone()));
    assert!(s.revoke_api_token(&secret(1).id(), at(9)).await.expect("revokes"));
    assert!(!s.revoke_api_token(&secret(1).id(), at(10)).await.expect("answers"));
    let revoked = ApiToken { revoked_at: Some(at(9)), ..used };
    assert_eq!(s.api_tokens().await.expect("lists"), [revoked]);
    assert_eq!(s.api_token(secret(2)).await.expect("reads"), None);
}

async fn pruning(s: Shared) {
    made(&s, 1, "kim", Role::Admin).await;
    assert!(s.add_session(session_of("kim", 9)).await.expect("keeps"));
    s.add_setup_link(link(2, Role::Viewer, None)).await.expect("keeps");
    assert_eq!(s.prune_access(at(50), at(9), at(0)).await.expect("prunes"), 0);
    assert_eq!(s.prune_access(at(200), at(10), at(0)).await.expect("prunes"), 2, "idle session, link");
    assert_eq!(s.accounts().await.expect("lists").len(), 1);
}
