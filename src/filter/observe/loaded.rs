//! The lines that say what a configuration serves, what of it is deprecated and what isn't read, once for each time that it
//! is loaded.
//!
//! Envoy configures a plugin twice on its main thread and then once on each worker, each time in a virtual machine that
//! knows nothing of the others. What these share tells whether the line is there already.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::config::Plugin;
use crate::filter::abi::{self, HostStatus};
use crate::filter::host_profile;
use crate::routing::ServedService;

/// How long a configuration counts as loaded once, in nanoseconds: workers may begin long behind the main thread, and
/// whoever goes back to a configuration has had another one in between.
const ONCE: u64 = 60_000_000_000;

/// How many services are named: a line of nginx's log ends after 2 KiB.
const NAMED: usize = 20;

/// What tells a configuration from others.
pub struct Fingerprint {
    length: usize,
    hash: u64,
}

impl Fingerprint {
    /// That of these bytes.
    pub fn of(configuration: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        configuration.hash(&mut hasher);
        Self {
            length: configuration.len(),
            hash: hasher.finish(),
        }
    }
}

/// `configuration`, from which `plugin` was loaded, is in force.
pub fn loaded(configuration: &Fingerprint, plugin: &Plugin) {
    if !host_profile::is_envoy(configuration.length) || is_first(configuration) {
        for warning in &plugin.warnings {
            log::warn!("{warning}");
        }
        for notice in &plugin.notices {
            log::info!("{notice}");
        }
        log::info!("{}", line(plugin.router.services()));
    }
}

/// Whether nobody has told of this configuration lately.
fn is_first(configuration: &Fingerprint) -> bool {
    let Ok(now) = abi::now() else {
        return true;
    };
    let key = format!("protobridge.loaded.{:016x}", configuration.hash);
    let (last, version) = match abi::shared_data(&key) {
        Ok((value, version)) => (value.try_into().ok().map(u64::from_le_bytes), version),
        Err(_) => (None, 0),
    };
    let shared = abi::share_data(&key, &now.to_le_bytes(), version);
    shared != Err(HostStatus::CAS_MISMATCH) && last.is_none_or(|last| now.saturating_sub(last) >= ONCE)
}

fn line(services: &[ServedService]) -> String {
    let by_rule: usize = services.iter().map(|service| service.by_rule).sum();
    let auto_mapped: usize = services.iter().map(|service| service.auto_mapped).sum();
    let mut named: Vec<_> = services.iter().take(NAMED).map(described).collect();
    if services.len() > NAMED {
        named.push(format!("and {} more", services.len() - NAMED));
    }
    format!(
        "configuration loaded: methods by rule: {by_rule}, by auto mapping: {auto_mapped}; services: {}",
        named.join(", ")
    )
}

fn described(service: &ServedService) -> String {
    let ServedService {
        full_name,
        by_rule,
        auto_mapped,
    } = service;
    match (by_rule, auto_mapped) {
        (0, 0) => format!("{full_name} (none)"),
        (_, 0) => format!("{full_name} ({by_rule} by rule)"),
        (0, _) => format!("{full_name} ({auto_mapped} by auto mapping)"),
        _ => format!("{full_name} ({by_rule} by rule, {auto_mapped} by auto mapping)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(full_name: &str, by_rule: usize, auto_mapped: usize) -> ServedService {
        ServedService {
            full_name: full_name.into(),
            by_rule,
            auto_mapped,
        }
    }

    #[test]
    fn the_line_has_all_methods_and_the_first_services() {
        let services = [
            service("a.A", 2, 0),
            service("b.B", 0, 3),
            service("c.C", 1, 4),
            service("d.D", 0, 0),
        ];
        assert_eq!(
            line(&services),
            "configuration loaded: methods by rule: 3, by auto mapping: 7; services: a.A (2 by rule), b.B (3 by auto \
             mapping), c.C (1 by rule, 4 by auto mapping), d.D (none)"
        );
        let many = vec![service("a.A", 1, 0); NAMED + 2];
        let line = line(&many);
        assert!(line.contains("methods by rule: 22,"), "{line}");
        assert!(line.ends_with(", a.A (1 by rule), and 2 more"), "{line}");
    }
}
