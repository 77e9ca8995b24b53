//! How the cost of an exchange grows with its size.

use crate::host::{Answer, Exchange, Gateway, Request};

/// Twice the input is at most twice the work and a tenth, which leaves room for sorting.
const MOST: f64 = 2.2;

/// What it costs to be so large, in instructions: by name, and at which size to ask.
pub type Cost<'c> = (&'static str, usize, Box<dyn Fn(usize) -> u64 + 'c>);

/// Checks that each costs at twice its size no more than twice as much, to a tenth.
pub fn check_costs(costs: &[Cost<'_>]) {
    let mut failures = Vec::new();
    for (name, size, cost) in costs {
        let (few, many) = (cost(*size), cost(2 * size));
        let ratio = many as f64 / few as f64;
        if std::env::var_os("PRINT_COST").is_some() {
            println!("{name:40} {size:8}: {few:12}, {many:12}: {ratio:.3}");
        }
        if ratio > MOST {
            failures.push(format!("{name}: {few}, then {many}: {ratio:.2} times as much"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// One way to be large.
pub struct Shape<'s> {
    name: &'static str,
    size: usize,
    exchange: Box<dyn Fn(usize) -> Exchange + 's>,
    /// Whether the module converts it; `None`: that doesn't matter.
    done: Option<bool>,
}

impl<'s> Shape<'s> {
    pub fn new<E: Into<Exchange>>(name: &'static str, size: usize, exchange: impl Fn(usize) -> E + 's) -> Self {
        Self {
            name,
            size,
            exchange: Box::new(move |size| exchange(size).into()),
            done: Some(true),
        }
    }

    pub fn refused<E: Into<Exchange>>(name: &'static str, size: usize, exchange: impl Fn(usize) -> E + 's) -> Self {
        Self {
            done: Some(false),
            ..Self::new(name, size, exchange)
        }
    }

    pub fn may_be_refused(self) -> Self {
        Self { done: None, ..self }
    }
}

/// Checks that each shape at twice its size costs no more than twice as much, to a tenth.
pub fn check_each(gateway: &Gateway, shapes: &[Shape<'_>]) {
    let mut failures = Vec::new();
    let every_request = gateway.machine().run(&Request::post("{}".into()).into()).fuel;
    let every_answer = gateway.machine().run(&Answer(Vec::new()).into()).fuel;
    for shape in shapes {
        let mut cost = |size: usize| {
            let exchange = (shape.exchange)(size);
            let length = exchange.length();
            let outcome = gateway.machine().run(&exchange);
            if shape.done.is_some_and(|done| done != outcome.done) {
                failures.push(format!("{}: done is {}", shape.name, outcome.done));
            }
            // What any exchange costs would hide how this one grows.
            let fixed = match exchange {
                Exchange::Request(_) => every_request,
                Exchange::Answer(_) => every_answer,
            };
            (length, outcome.fuel - fixed)
        };
        let ((small, few), (large, many)) = (cost(shape.size), cost(2 * shape.size));
        let growth = large as f64 / small as f64;
        // The lengths may not double exactly; what is allowed is per byte.
        let most = growth.max(2.0) / 2.0 * MOST;
        let ratio = many as f64 / few as f64;
        if std::env::var_os("PRINT_COST").is_some() {
            println!(
                "{:60} {small:8} bytes {few:12} {large:8} bytes {many:12}: {ratio:.3}",
                shape.name
            );
        }
        if ratio > most {
            failures.push(format!(
                "{}: {small} bytes cost {few}, {large} bytes cost {many}: {ratio:.2} times as much",
                shape.name
            ));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
