//! Datagrams as applications send them to a StatsD server.

/// Routes, and with five statuses as many series of requests times five.
const ROUTES: [&str; 10] = [
    "/api/v1/orders",
    "/api/v1/cart",
    "/api/v1/users",
    "/api/v1/search",
    "/api/v1/payments",
    "/api/v1/items",
    "/api/v1/coupons",
    "/api/v1/reviews",
    "/api/v1/login",
    "/api/v1/stock",
];
const STATUSES: [u16; 5] = [200, 201, 304, 404, 503];
/// Different datagrams; they are sent over and over.
const DATAGRAMS: usize = 1000;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// With tags: of ten metrics four are requests, three counters, two gauges, one a distribution,
    /// of 200 series together.
    Dogstatsd,
    /// The same without tags, for servers that know none.
    Plain,
}

/// Datagrams of `metrics_each` metrics each.
#[must_use]
pub fn datagrams(dialect: Dialect, metrics_each: usize) -> Vec<Vec<u8>> {
    let line = |number: usize| match dialect {
        Dialect::Dogstatsd => tagged(number),
        Dialect::Plain => plain(number),
    };
    let datagram = |number: usize| {
        let lines = (number * metrics_each..(number + 1) * metrics_each).map(line);
        lines.collect::<Vec<_>>().join("\n").into_bytes()
    };
    (0..DATAGRAMS).map(datagram).collect()
}

fn tagged(number: usize) -> String {
    let (route, status) = (ROUTES[number / 10 % ROUTES.len()], STATUSES[number / 100 % STATUSES.len()]);
    let (value, shard) = (1 + number * 7 % 900, number / 10 % 50);
    match number % 10 {
        0..=3 => format!(
            "http.request.time:{value}.{}|ms|#service:shop,endpoint:{route},method:GET,status:{status}",
            number % 10
        ),
        4..=6 => format!("orders.placed:1|c|#service:shop,shard:{shard}"),
        7 | 8 => format!("queue.length:{value}|g|#service:shop,shard:{shard}"),
        _ => format!("query.rows:{value}|d|#service:shop,shard:{shard}"),
    }
}

fn plain(number: usize) -> String {
    let (value, shard) = (1 + number * 7 % 900, number / 10 % 50);
    match number % 10 {
        0..=3 => format!("shop.http.request.time.{shard}:{value}|ms"),
        4..=6 => format!("shop.orders.placed.{shard}:1|c"),
        7 | 8 => format!("shop.queue.length.{shard}:{value}|g"),
        _ => format!("shop.query.time.{shard}:{value}|ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_hold_as_many_metrics_as_asked_for_and_fit_an_ethernet_frame() {
        for dialect in [Dialect::Dogstatsd, Dialect::Plain] {
            for each in [1, 10] {
                let datagrams = datagrams(dialect, each);
                for datagram in &datagrams {
                    assert_eq!(datagram.split(|byte| *byte == b'\n').count(), each);
                    assert!(datagram.len() <= 1432, "{} bytes", datagram.len());
                }
            }
        }
    }
}
