//! The `.proto` files that need not be given: `google/api`, `google/rpc` and `google/type`.
//!
//! Written without comments and options, so that reading them costs little; names, numbers and types are those of
//! googleapis. `google/protobuf` isn't here: prost-reflect's own pool has its files.

/// The text of a bundled file, by its import path.
pub(super) fn text(name: &str) -> Option<&'static str> {
    let at = FILES.binary_search_by_key(&name, |(name, _)| name).ok()?;
    FILES.get(at).map(|(_, text)| *text)
}

/// What every pool holds, so that error details and raw bodies work with any schema.
pub(super) const ALWAYS: [&str; 3] = [
    "google/api/httpbody.proto",
    "google/rpc/error_details.proto",
    "google/rpc/status.proto",
];

macro_rules! bundled {
    ($name:literal) => {
        ($name, include_str!($name))
    };
}

/// Sorted by import path.
const FILES: &[(&str, &str)] = &[
    bundled!("google/api/annotations.proto"),
    bundled!("google/api/auth.proto"),
    bundled!("google/api/backend.proto"),
    bundled!("google/api/billing.proto"),
    bundled!("google/api/client.proto"),
    bundled!("google/api/config_change.proto"),
    bundled!("google/api/consumer.proto"),
    bundled!("google/api/context.proto"),
    bundled!("google/api/control.proto"),
    bundled!("google/api/distribution.proto"),
    bundled!("google/api/documentation.proto"),
    bundled!("google/api/endpoint.proto"),
    bundled!("google/api/error_reason.proto"),
    bundled!("google/api/field_behavior.proto"),
    bundled!("google/api/field_info.proto"),
    bundled!("google/api/http.proto"),
    bundled!("google/api/httpbody.proto"),
    bundled!("google/api/label.proto"),
    bundled!("google/api/launch_stage.proto"),
    bundled!("google/api/log.proto"),
    bundled!("google/api/logging.proto"),
    bundled!("google/api/metric.proto"),
    bundled!("google/api/monitored_resource.proto"),
    bundled!("google/api/monitoring.proto"),
    bundled!("google/api/policy.proto"),
    bundled!("google/api/quota.proto"),
    bundled!("google/api/resource.proto"),
    bundled!("google/api/routing.proto"),
    bundled!("google/api/service.proto"),
    bundled!("google/api/source_info.proto"),
    bundled!("google/api/system_parameter.proto"),
    bundled!("google/api/usage.proto"),
    bundled!("google/api/visibility.proto"),
    bundled!("google/rpc/code.proto"),
    bundled!("google/rpc/context/attribute_context.proto"),
    bundled!("google/rpc/context/audit_context.proto"),
    bundled!("google/rpc/error_details.proto"),
    bundled!("google/rpc/http.proto"),
    bundled!("google/rpc/status.proto"),
    bundled!("google/type/calendar_period.proto"),
    bundled!("google/type/color.proto"),
    bundled!("google/type/date.proto"),
    bundled!("google/type/datetime.proto"),
    bundled!("google/type/dayofweek.proto"),
    bundled!("google/type/decimal.proto"),
    bundled!("google/type/expr.proto"),
    bundled!("google/type/fraction.proto"),
    bundled!("google/type/interval.proto"),
    bundled!("google/type/latlng.proto"),
    bundled!("google/type/localized_text.proto"),
    bundled!("google/type/money.proto"),
    bundled!("google/type/month.proto"),
    bundled!("google/type/phone_number.proto"),
    bundled!("google/type/postal_address.proto"),
    bundled!("google/type/quaternion.proto"),
    bundled!("google/type/timeofday.proto"),
];

/// The import paths of all bundled files.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(name, _)| *name)
}
