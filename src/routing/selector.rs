//! Which methods a selector of the plugin configuration means.

use std::collections::{HashMap, HashSet};

use prost_reflect::{MethodDescriptor, ServiceDescriptor};

use crate::schema::nearest;
use crate::text::shown::{NAME, shown};

/// The methods of the configured services, each once, for selectors to choose from.
#[derive(Debug)]
pub struct Methods {
    services: Vec<ServiceDescriptor>,
    descriptors: Vec<MethodDescriptor>,
    positions: HashMap<String, usize>,
    /// The other services of the schema.
    others: Vec<ServiceDescriptor>,
    /// The full names of the methods of those that may be configured as well.
    possible: HashSet<String>,
}

impl Methods {
    /// The methods of `services`, in the order of declaration. `schema` are the services of the whole schema, of which
    /// others may be configured as well unless `services` is `complete`: then a selector that selects one of their methods
    /// is as good as any, though there is nothing to give to.
    pub fn of(services: Vec<ServiceDescriptor>, schema: &[ServiceDescriptor], complete: bool) -> Self {
        let mut seen = HashSet::new();
        let descriptors: Vec<_> = services
            .iter()
            .flat_map(ServiceDescriptor::methods)
            .filter(|method| seen.insert(method.full_name().to_owned()))
            .collect();
        let names = descriptors.iter().map(|method| method.full_name().to_owned());
        let served: HashSet<&str> = services.iter().map(ServiceDescriptor::full_name).collect();
        let others = schema.iter().filter(|service| !served.contains(service.full_name()));
        let others: Vec<_> = others.cloned().collect();
        let possible = others.iter().filter(|_| !complete).flat_map(ServiceDescriptor::methods);
        Self {
            positions: names.zip(0..).collect(),
            possible: possible.map(|method| method.full_name().to_owned()).collect(),
            others,
            services,
            descriptors,
        }
    }

    /// The services.
    pub fn services(&self) -> &[ServiceDescriptor] {
        &self.services
    }

    /// The methods. The position of each is its [`Method::index`](super::Method::index).
    pub fn descriptors(&self) -> &[MethodDescriptor] {
        &self.descriptors
    }

    /// Gives `value` to what `selector` means: the full name of a method, or a prefix of full names that ends in a dot,
    /// followed by `*`. `values` are by position; of several rules that select one method the last so wins
    /// (google/api/http.proto, `Http.rules`).
    ///
    /// `false` if it means no method: [`Methods::unknown`] says more.
    #[must_use]
    pub fn give<T: Copy>(&self, selector: &str, value: T, values: &mut [Option<T>]) -> bool {
        let selected: Vec<usize> = match prefix(selector) {
            Some(prefix) => {
                let methods = self.descriptors.iter().zip(0..);
                let below = methods.filter(|(method, _)| method.full_name().starts_with(prefix));
                below.map(|(_, position)| position).collect()
            }
            None => self.positions.get(selector).copied().into_iter().collect(),
        };
        for position in &selected {
            if let Some(of_method) = values.get_mut(*position) {
                *of_method = Some(value);
            }
        }
        !selected.is_empty()
            || match prefix(selector) {
                Some(prefix) => self.possible.iter().any(|name| name.starts_with(prefix)),
                None => self.possible.contains(selector),
            }
    }

    /// Says that `selector` selects no method, and what may have been meant.
    pub fn unknown(&self, selector: &str) -> String {
        let meant = if let Some(other) = self.other(selector) {
            let service = other.parent_service();
            format!(
                "its service `{}` is served only if `services` names it",
                service.full_name()
            )
        } else if self
            .descriptors
            .iter()
            .any(|method| is_below(method.full_name(), selector))
        {
            format!("did you mean `{selector}.*`?")
        } else if let Some(meant) = nearest(selector, self.descriptors.iter().map(MethodDescriptor::full_name)) {
            format!("did you mean `{meant}`?")
        } else {
            "expected the full name of a method of the configured services, `package.Service.Method`, or such a name's \
             beginning with `.*` after it"
                .to_owned()
        };
        format!("`{}` selects no method: {meant}", shown(selector.as_bytes(), NAME))
    }

    /// The first method that isn't of the configured services and that `selector` means.
    fn other(&self, selector: &str) -> Option<MethodDescriptor> {
        let mut others = self.others.iter().flat_map(ServiceDescriptor::methods);
        others.find(|method| match prefix(selector) {
            Some(prefix) => method.full_name().starts_with(prefix),
            None => method.full_name() == selector,
        })
    }
}

/// What the names begin with that a selector with `.*` means.
fn prefix(selector: &str) -> Option<&str> {
    selector.strip_suffix('*').filter(|prefix| prefix.ends_with('.'))
}

fn is_below(name: &str, parent: &str) -> bool {
    name.strip_prefix(parent).is_some_and(|rest| rest.starts_with('.'))
}
