//! Log lines as a shop's services write them: access logs, application logs with ids of their own,
//! Korean messages, traces over several services. The same lines in every run.

use goldentime_model::{LogRecord, ServiceId, UnixNanos};
use goldentime_search::{Identity, NewLine};

/// Services that write.
const SERVICES: usize = 20;
/// Hosts of each.
const HOSTS: u64 = 5;
/// Lines of one trace.
const TRACE_LINES: u64 = 6;
/// One line in so many holds [`RARE_WORD`].
pub const RARE_EVERY: u64 = 250_000;
/// A word that few lines hold.
pub const RARE_WORD: &str = "quarantined";
/// Two Korean syllables that few lines hold, inside of longer words.
pub const RARE_KOREAN: &str = "환불";
/// Time between two lines, in nanoseconds: a thousand lines a second.
const STEP_NS: i64 = 1_000_000;
/// Time of the first line.
pub const FIRST_AT: i64 = 1_700_000_000_000_000_000;

/// Makes lines by their number.
pub struct Lines {
    services: Vec<ServiceId>,
}

impl Default for Lines {
    fn default() -> Self {
        let name = |number: usize| format!("shop/prod/service-{number:02}");
        let services = (0..SERVICES).filter_map(|number| name(number).parse().ok()).collect();
        Self { services }
    }
}

/// Well mixed bits of a number (the finalizer of SplitMix64).
const fn mix(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// Id of the order that line `number` is about.
#[must_use]
pub fn order_id(number: u64) -> String {
    format!("ord-{:012x}", mix(number) >> 16)
}

/// Trace of line `number`.
#[must_use]
pub fn trace_id(number: u64) -> String {
    let trace = number / TRACE_LINES;
    format!("{:016x}{:016x}", mix(trace ^ 0x5555), mix(trace ^ 0xaaaa))
}

/// Time of line `number`, in nanoseconds.
#[must_use]
pub fn at(number: u64) -> i64 {
    FIRST_AT + i64::try_from(number).unwrap_or(0) * STEP_NS
}

impl Lines {
    /// The id of service `number`.
    #[must_use]
    pub fn service(&self, number: usize) -> &ServiceId {
        &self.services[number % SERVICES]
    }

    /// Line `number`.
    #[must_use]
    pub fn line(&self, number: u64) -> NewLine {
        let bits = mix(number ^ 0x1234_5678);
        // Of other bits than what is said: every service says everything.
        let service = self.service(usize::try_from(mix(bits) % SERVICES as u64).unwrap_or(0));
        let user = (bits >> 8) % 200_000;
        let (ms, order) = ((bits >> 16) % 900, order_id(number));
        let address = format!("10.{}.{}.{}", (bits >> 24) % 256, (bits >> 32) % 256, (bits >> 40) % 256);
        let (level, message) = match bits % 100 {
            _ if number % RARE_EVERY == RARE_EVERY / 2 => {
                ("error", format!("order {order} {RARE_WORD}: 자동환불처리 대기, user={user} amount={ms}000"))
            }
            0..=54 => (
                "info",
                format!(
                    "{address} - user{user} \"GET /api/v2/orders/{order}?expand=items HTTP/1.1\" 200 {} 0.{ms:03} \"Mozilla/5.0\"",
                    bits >> 52
                ),
            ),
            55..=74 => {
                ("info", format!("payment authorized order={order} user={user} gateway=toss latency_ms={ms}"))
            }
            75..=84 => {
                ("info", format!("카드결제가 승인되었습니다 주문번호={order} 사용자={user} 처리시간={ms}ms"))
            }
            85..=92 => {
                ("debug", format!("cache miss key=cart:{user}:{} shard={} ttl={ms}", bits >> 48, bits % 64))
            }
            93..=96 => (
                "warn",
                format!(
                    "slow query took {ms} ms: SELECT * FROM orders WHERE id = '{order}' AND user_id = {user}"
                ),
            ),
            97 | 98 => (
                "error",
                format!("재고 부족으로 주문 실패 order={order} sku=SKU-{} 수량={}", bits >> 44, bits % 9),
            ),
            _ => (
                "error",
                format!(
                    "java.net.SocketTimeoutException: connect timed out after {ms} ms\n\tat com.shop.pay.Gateway.charge(Gateway.java:{})\n\tat com.shop.order.Checkout.run(Checkout.java:88) [{order}]",
                    bits % 400
                ),
            ),
        };
        NewLine {
            identity: Identity {
                stream: [1; 16],
                partition: 0,
                number: number / 50 + 1,
                index: (number % 50) as u32,
            },
            service: service.clone(),
            host: format!("{}-{}", service.service(), (bits >> 5) % HOSTS).into(),
            record: LogRecord {
                at: UnixNanos(at(number)),
                level: level.into(),
                message,
                trace_id: trace_id(number),
                span_id: format!("{:016x}", bits),
                attributes: std::collections::BTreeMap::new(),
            },
        }
    }
}
