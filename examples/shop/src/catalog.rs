//! Who there is, what each one answers, and whom it asks.

/// A service of the shop.
#[derive(Debug, PartialEq)]
pub struct Service {
    /// Its name.
    pub name: &'static str,
    /// What it answers.
    pub routes: &'static [Route],
}

/// A route and what it costs.
#[derive(Debug, PartialEq)]
pub struct Route {
    /// First segment of the path; a number follows where `has_id`.
    pub path: &'static str,
    /// The path goes on with an id.
    pub has_id: bool,
    /// Median of its own work, in milliseconds; the tail is lognormal.
    pub work_ms: f64,
    /// Calls it makes, one after the other: service and path.
    pub calls: &'static [(&'static str, &'static str)],
}

const fn route(path: &'static str, work_ms: f64, calls: &'static [(&'static str, &'static str)]) -> Route {
    Route { path, has_id: false, work_ms, calls }
}

const fn with_id(path: &'static str, work_ms: f64, calls: &'static [(&'static str, &'static str)]) -> Route {
    Route { path, has_id: true, work_ms, calls }
}

/// The five services. Calls go down this list only, so that no request runs in a circle.
pub const SERVICES: [Service; 5] = [
    Service {
        name: "storefront",
        routes: &[
            route("/", 4.0, &[("stock-api", "/stock/7")]),
            with_id("/products", 5.0, &[("stock-api", "/stock/11"), ("user-api", "/users/3")]),
            route("/checkout", 6.0, &[("order-api", "/orders")]),
        ],
    },
    Service {
        name: "order-api",
        routes: &[
            route("/orders", 8.0, &[("payment-api", "/payments"), ("stock-api", "/stock/5")]),
            with_id("/orders", 3.0, &[("user-api", "/users/9")]),
        ],
    },
    Service {
        name: "payment-api",
        routes: &[route("/payments", 12.0, &[("user-api", "/users/1")]), with_id("/payments", 2.0, &[])],
    },
    Service { name: "stock-api", routes: &[with_id("/stock", 2.0, &[])] },
    Service { name: "user-api", routes: &[with_id("/users", 2.0, &[])] },
];

/// The service of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Service> {
    SERVICES.iter().find(|service| service.name == name)
}

impl Service {
    /// The route that answers `path`.
    #[must_use]
    pub fn route(&self, path: &str) -> Option<&'static Route> {
        let known = find(self.name)?;
        let (first, id) = match path[1..].split_once('/') {
            Some((first, id)) => (first, Some(id)),
            None => (&path[1..], None),
        };
        let is_id = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
        known.routes.iter().find(|route| {
            &route.path[1..] == first
                && match id {
                    Some(id) => route.has_id && is_id(id),
                    None => !route.has_id,
                }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_goes_down_the_list_to_a_route_that_is_there() {
        for (at, service) in SERVICES.iter().enumerate() {
            for (callee, path) in service.routes.iter().flat_map(|route| route.calls) {
                let place = SERVICES.iter().position(|other| other.name == *callee).expect("known service");
                assert!(place > at, "{} calls {callee}, which stands before it", service.name);
                assert!(SERVICES[place].route(path).is_some(), "{callee} does not answer {path}");
            }
        }
    }

    #[test]
    fn a_path_finds_the_route_with_or_without_an_id() {
        let orders = find("order-api").expect("known");
        assert_eq!(orders.route("/orders").map(|route| route.has_id), Some(false));
        assert_eq!(orders.route("/orders/12").map(|route| route.has_id), Some(true));
        assert_eq!(orders.route("/orders/twelve"), None);
        assert_eq!(orders.route("/nothing"), None);
    }
}
