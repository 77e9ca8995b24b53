//! Which methods a selector of the plugin configuration means.

use std::collections::{HashMap, HashSet};

use prost_reflect::{MethodDescriptor, ServiceDescriptor};

use crate::schema::nearest;

/// The methods of the configured services, each once, for selectors to choose from.
#[derive(Debug)]
pub struct Methods {
    descriptors: Vec<MethodDescriptor>,
    positions: HashMap<String, usize>,
}

impl Methods {
    /// The methods of `services`, in the order of declaration.
    pub fn of(services: &[ServiceDescriptor]) -> Self {
        let mut seen = HashSet::new();
        let descriptors: Vec<_> = services
            .iter()
            .flat_map(ServiceDescriptor::methods)
            .filter(|method| seen.insert(method.full_name().to_owned()))
            .collect();
        let names = descriptors.iter().map(|method| method.full_name().to_owned());
        Self {
            positions: names.zip(0..).collect(),
            descriptors,
        }
    }

    /// The methods. The position of each is its [`Method::index`](super::Method::index).
    pub fn descriptors(&self) -> &[MethodDescriptor] {
        &self.descriptors
    }

    /// Gives `value` to what `selector` means: the full name of a method, or a prefix of full names that ends in a dot,
    /// followed by `*`. `values` are by position; of several rules that select one method the last so wins
    /// (google/api/http.proto, `Http.rules`).
    ///
    /// # Errors
    ///
    /// What was expected, and what may have been meant, where it means no method.
    pub fn give<T: Copy>(&self, selector: &str, value: T, values: &mut [Option<T>]) -> Result<(), String> {
        let selected: Vec<usize> = match selector.strip_suffix('*') {
            Some(prefix) if prefix.ends_with('.') => {
                let methods = self.descriptors.iter().zip(0..);
                let below = methods.filter(|(method, _)| method.full_name().starts_with(prefix));
                below.map(|(_, position)| position).collect()
            }
            _ => self.positions.get(selector).copied().into_iter().collect(),
        };
        if !selected.is_empty() {
            for position in selected {
                if let Some(of_method) = values.get_mut(position) {
                    *of_method = Some(value);
                }
            }
            return Ok(());
        }
        let meant = match nearest(selector, self.descriptors.iter().map(MethodDescriptor::full_name)) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "expected the full name of a method of the configured services, `package.Service.Method`, or such \
                     a name's beginning with `.*` after it"
                .to_owned(),
        };
        Err(format!("`{selector}` selects no method: {meant}"))
    }
}
