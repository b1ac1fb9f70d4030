//! With TLS set, only clients with the right certificate get in.

use std::path::{Path, PathBuf};

use proto::notifications::v1::secrets_client::SecretsClient;
use proto::notifications::v1::{DeliverRequest, DeliverResponse};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rpc::{ClientTls, Settings, StartError};
use tonic::Code;

use crate::harness;

/// A certificate authority of this test alone.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer, folder: tempfile::tempdir().unwrap() }
    }

    fn ca(&self) -> PathBuf {
        self.write("ca.pem", &self.issuer.pem())
    }

    /// Certificate and key for a name.
    fn issue(&self, name: &str) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (
            self.write(&format!("{name}.pem"), &certificate.pem()),
            self.write(&format!("{name}.key"), &key.serialize_pem()),
        )
    }

    fn write(&self, name: &str, pem: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, pem).unwrap();
        path
    }
}

#[tokio::test]
async fn a_client_with_a_certificate_of_ours_gets_in_and_others_do_not() {
    let (ours, foreign) = (Authority::new(), Authority::new());
    let (cert, key) = ours.issue("localhost");
    let settings =
        Settings { tls_cert: Some(cert), tls_key: Some(key), tls_client_ca: Some(ours.ca()), ..harness::settings() };
    let running = harness::start(&settings, |_| async { Ok(DeliverResponse {}) }).await;
    let call = async |scheme: &str, identity: Option<(PathBuf, PathBuf)>, ca: PathBuf| {
        let (cert, key) = identity.unzip();
        let tls = ClientTls { ca: Some(ca), cert, key };
        let channel = rpc::connect(&format!("{scheme}://localhost:{}", running.address.port()), &tls).unwrap();
        SecretsClient::new(channel).deliver(DeliverRequest::default()).await.map_err(|status| status.code())
    };
    call("https", Some(ours.issue("applications")), ours.ca()).await.unwrap();
    assert!(call("https", None, ours.ca()).await.is_err(), "no certificate");
    assert!(call("https", Some(foreign.issue("applications")), ours.ca()).await.is_err(), "not of our authority");
    let impostor = call("https", Some(ours.issue("applications")), foreign.ca()).await;
    assert_eq!(impostor.unwrap_err(), Code::Unavailable, "the client does not know this server");
    assert!(call("http", None, ours.ca()).await.is_err(), "no TLS at all");
}

#[tokio::test]
async fn a_certificate_that_cannot_be_read_is_told_by_its_path() {
    let settings =
        Settings { tls_cert: Some("nowhere.pem".into()), tls_key: Some("nowhere.key".into()), ..harness::settings() };
    let lifecycle = lifecycle::Lifecycle::new(harness::LONG);
    let server = rpc::Server::new(&settings, &lifecycle, &rpc::Health::new(&[]));
    let error = server.start(rpc::Surface::new()).await.unwrap_err();
    assert!(matches!(error, StartError::File { path, .. } if path == Path::new("nowhere.pem")));
}
