//! The authority of a swarm that does not exist.

use std::ops::Range;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use swarm_worker::token::{JoinToken, RootDigest};
use time::{Duration, OffsetDateTime};

/// The id of the swarm.
pub(crate) const CLUSTER: &str = "fakeclusterfakeclusterfak";

/// The secret of its tokens.
pub(crate) const SECRET: &str = "s3cr3ts3cr3ts3cr3ts3cr3t0";

/// From an hour ago for 90 days, as a manager does it.
pub(crate) const USUAL: Range<i64> = -3600..90 * 86400;

/// A key that signs certificates, and its root certificate.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate with its key.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        Self { issuer: CertifiedIssuer::self_signed(parameters(), key).unwrap() }
    }

    /// The root certificate in PEM.
    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A token for this root.
    pub(crate) fn token(&self) -> JoinToken {
        let digest = RootDigest::of(self.pem().as_bytes());
        format!("SWMTKN-1-{digest}-{SECRET}").parse().unwrap()
    }

    /// The key of another authority, signed by this one: the intermediate of a root rotation.
    pub(crate) fn cross_signed(&self, other: &Self) -> String {
        parameters().signed_by(other.issuer.key(), &self.issuer).unwrap().pem()
    }

    /// The certificate of a manager that is valid in a range of seconds from now.
    pub(crate) fn manager(&self, validity: Range<i64>) -> Server {
        self.server("swarm-manager", validity)
    }

    /// The certificate of a node with a role.
    pub(crate) fn server(&self, role: &str, validity: Range<i64>) -> Server {
        let key = KeyPair::generate().unwrap();
        let parameters = leaf(role, "fakemanagerfakemanagerfak", validity);
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        Server {
            chain: vec![certificate.der().clone()],
            key: PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        }
    }

    /// The certificate that a worker has requested, in PEM.
    pub(crate) fn worker(&self, request: &[u8], node: &str, validity: Range<i64>) -> String {
        self.signed(request, &leaf("swarm-worker", node, validity))
    }

    /// A certificate for the key in a request, in PEM.
    pub(crate) fn signed(&self, request: &[u8], parameters: &CertificateParams) -> String {
        let request = std::str::from_utf8(request).unwrap();
        let request = CertificateSigningRequestParams::from_pem(request).unwrap();
        parameters.signed_by(&request.public_key, &self.issuer).unwrap().pem()
    }
}

/// What is in the certificate of a node.
pub(crate) fn leaf(role: &str, node: &str, validity: Range<i64>) -> CertificateParams {
    let ca = (role == "swarm-manager").then(|| "swarm-ca".to_owned());
    let names: Vec<String> = [role.to_owned(), node.to_owned()].into_iter().chain(ca).collect();
    let mut parameters = CertificateParams::new(names).unwrap();
    let name = &mut parameters.distinguished_name;
    name.remove(DnType::CommonName);
    name.push(DnType::OrganizationName, CLUSTER);
    name.push(DnType::OrganizationalUnitName, role);
    name.push(DnType::CommonName, node);
    let now = OffsetDateTime::now_utc();
    parameters.not_before = now + Duration::seconds(validity.start);
    parameters.not_after = now + Duration::seconds(validity.end);
    parameters.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    parameters
}

fn parameters() -> CertificateParams {
    let mut parameters = CertificateParams::new([]).unwrap();
    parameters.distinguished_name.push(DnType::CommonName, "swarm-ca");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    parameters
}
