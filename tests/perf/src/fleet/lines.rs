//! Log lines as shops write them, in Korean and English, no two alike.

use goldentime_model::UnixNanos;
use goldentime_wire::proto::LogRecord;
use rand::Rng;

/// What one of [`RARE_ONE_IN`] lines says and no other: what is looked for.
pub const RARE: &str = "이중결제";
/// How rare it is.
const RARE_ONE_IN: u32 = 100_000;

const SAID: [&str; 12] = [
    "카드결제가 승인되었습니다",
    "주문이 접수되었습니다",
    "재고를 확인하는 중입니다",
    "배송지가 변경되었습니다",
    "쿠폰을 사용할 수 없습니다",
    "order accepted",
    "payment authorised by the issuer",
    "cache miss, reading from the database",
    "connection returned to the pool",
    "retrying after a timeout of the inventory service",
    "session refreshed",
    "request finished",
];
const COMPONENTS: [&str; 6] = ["checkout", "payment", "inventory", "shipping", "coupon", "gateway"];
const LEVELS: [&str; 10] =
    ["info", "info", "info", "info", "info", "info", "debug", "debug", "warn", "error"];

/// One line.
#[must_use]
pub fn line(now: UnixNanos) -> LogRecord {
    let mut rng = rand::rng();
    let said = if rng.random_ratio(1, RARE_ONE_IN) { RARE } else { one_of(&SAID) };
    let (component, level) = (one_of(&COMPONENTS), one_of(&LEVELS));
    let message = format!(
        "[{component}] {said} order={} user={} took={}ms",
        rng.random_range(10_000_000..99_999_999_u32),
        rng.random_range(1_000..999_999_u32),
        rng.random_range(1..2_000_u32),
    );
    LogRecord {
        at_ns: now.0,
        level: level.to_owned(),
        message,
        trace_id: format!("{:032x}", rng.random::<u128>()),
        span_id: format!("{:016x}", rng.random::<u64>()),
        ..LogRecord::default()
    }
}

fn one_of<'a>(texts: &[&'a str]) -> &'a str {
    texts[rand::rng().random_range(0..texts.len())]
}
