//! What the gateway knows of the client and the route beside the request. It goes into `spec`, except whether TLS ended
//! here.

/// The name in `spec` for the route, and the gateway's attribute.
const ROUTE: (&str, &str) = ("route", "xds\0route_name");

/// The same for the client's certificate.
const CERTIFICATE: [(&str, &str); 4] = [
    ("cert_subject", "connection\0subject_peer_certificate"),
    ("cert_sha256", "connection\0sha256_peer_certificate_digest"),
    ("cert_uri_san", "connection\0uri_san_peer_certificate"),
    ("cert_dns_san", "connection\0dns_san_peer_certificate"),
];

/// What the gateway knows of client and route.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// Whether the client's TLS ended at this gateway.
    pub tls: bool,
    spec: Vec<(&'static str, Vec<u8>)>,
}

impl Caller {
    /// Asks the gateway; about more than TLS only if it is to stand `in_spec`. `attribute`: the bytes of the attribute at
    /// this path, whose segments are separated by zero bytes; `None`: it isn't there.
    pub fn ask(in_spec: bool, mut attribute: impl FnMut(&str) -> Option<Vec<u8>>) -> Self {
        let mut known = |path: &str| attribute(path).filter(|value| !value.is_empty());
        let tls = known("connection\0tls_version").is_some();
        if !in_spec {
            return Self { tls, spec: Vec::new() };
        }
        let mut spec = Vec::with_capacity(MOSTLY);
        if let Some(mut address) = known("source\0address") {
            drop_port(&mut address);
            spec.push(("client_ip", address));
        }
        // Without TLS there is no certificate to ask for.
        let certificate = CERTIFICATE.iter().filter(|_| tls);
        for (name, path) in [&ROUTE].into_iter().chain(certificate) {
            if let Some(value) = known(path) {
                spec.push((*name, value));
            }
        }
        Self { tls, spec }
    }

    /// The method has been found that the request calls: its full name, `package.Service/Method`.
    pub fn calls(&mut self, method: &str) {
        self.spec.retain(|(name, _)| *name != METHOD);
        self.spec.push((METHOD, method.as_bytes().to_vec()));
    }

    /// Names and values for `spec`.
    pub fn spec(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.spec.iter().map(|(name, value)| (*name, value.as_slice()))
    }
}

const METHOD: &str = "grpc_method";

/// How many names there are without TLS, the method's among them.
const MOSTLY: usize = 3;

/// Leaves the address of `address:port`, of which an IPv6 address has brackets around it.
fn drop_port(address: &mut Vec<u8>) {
    if address.first() == Some(&b'[') {
        address.remove(0);
        address.truncate(memchr::memchr(b']', address).unwrap_or(address.len()));
    } else {
        address.truncate(memchr::memrchr(b':', address).unwrap_or(address.len()));
    }
}
