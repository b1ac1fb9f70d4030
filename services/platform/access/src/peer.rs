//! How services know each other: short tokens signed by each service's own key, the public keys pinned by all.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::{Request, Status};

use crate::root::{KeyFileError, parse_key, read_key};
use crate::token::{Issuer, ServiceClaims};

/// Header in which a service passes along the token of the person it acts for.
pub(crate) const ON_BEHALF_OF: &str = "x-dingzhu-on-behalf-of";

/// Seconds that a service's token lives, and the rest of it that is still used.
const LIFETIME: i64 = 300;
const RENEW_BEFORE: i64 = 60;

/// Public keys of all services, as deployed.
#[derive(Clone, Debug, Default)]
pub struct ServiceKeys(Arc<HashMap<String, [u8; 32]>>);

impl ServiceKeys {
    /// Reads a JSON object of service names and keys of 64 hex digits.
    pub fn read(path: &Path) -> Result<Self, KeyFileError> {
        let name = || path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| KeyFileError::Read { path: name(), source })?;
        let digits: HashMap<String, String> =
            serde_json::from_str(&text).map_err(|_| KeyFileError::Format { path: name() })?;
        let keys = digits.into_iter().map(|(service, digits)| Some((service, parse_key(&digits)?)));
        keys.collect::<Option<HashMap<_, _>>>().map(Self::new).ok_or_else(|| KeyFileError::Format { path: name() })
    }

    /// From service names and their public keys.
    pub fn new(keys: HashMap<String, [u8; 32]>) -> Self {
        Self(Arc::new(keys.into_iter().map(|(service, key)| (Self::key_id(&service), key)).collect()))
    }

    pub(crate) fn key_id(service: &str) -> String {
        format!("service:{service}")
    }

    pub(crate) fn get(&self, key_id: &str) -> Option<&[u8; 32]> {
        self.0.get(key_id)
    }
}

/// This service, as the others know it.
#[derive(Clone, Debug)]
pub struct ServiceIdentity {
    name: &'static str,
    issuer: Arc<Issuer>,
}

impl ServiceIdentity {
    /// Reads the service's own key from its file.
    pub fn read(name: &'static str, path: &Path) -> Result<Self, KeyFileError> {
        read_key(path).map(|seed| Self::from_seed(name, &seed))
    }

    /// From the key's seed itself.
    pub fn from_seed(name: &'static str, seed: &[u8; 32]) -> Self {
        Self { name, issuer: Arc::new(Issuer::new(ServiceKeys::key_id(name), seed)) }
    }

    /// What calls to another service carry.
    pub fn token_for(&self, service: &'static str) -> PeerToken {
        PeerToken { from: self.clone(), to: service, behalf: None, current: Arc::default() }
    }
}

/// Puts this service's token, and where given the person's, on every call to one other service. Clones share the token.
#[derive(Clone)]
pub struct PeerToken {
    from: ServiceIdentity,
    to: &'static str,
    behalf: Option<MetadataValue<Ascii>>,
    current: Arc<Mutex<Option<Made>>>,
}

/// A token that was made before, and its end in Unix seconds.
struct Made {
    exp: i64,
    bearer: MetadataValue<Ascii>,
}

impl PeerToken {
    /// The same, acting for the person who showed this access token.
    #[must_use]
    pub fn on_behalf_of(&self, token: &str) -> Self {
        let behalf = MetadataValue::try_from(token).expect("a verified token is ASCII");
        Self { behalf: Some(behalf), ..self.clone() }
    }

    /// The token alone, for callers that make their own header.
    pub fn token(&self) -> String {
        let bearer = self.bearer();
        let text = bearer.to_str().expect("a token is ASCII");
        text.strip_prefix("Bearer ").expect("a bearer header begins so").to_owned()
    }

    fn bearer(&self) -> MetadataValue<Ascii> {
        let now = lifecycle::clock::now().unix_timestamp();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match &*current {
            Some(made) if now < made.exp - RENEW_BEFORE => made.bearer.clone(),
            _ => {
                let exp = now + LIFETIME;
                let token = self.from.issuer.sign(&ServiceClaims::new(self.from.name, self.to, exp));
                let bearer = MetadataValue::try_from(format!("Bearer {token}")).expect("a token is ASCII");
                *current = Some(Made { exp, bearer: bearer.clone() });
                bearer
            }
        }
    }
}

impl Interceptor for PeerToken {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.bearer());
        if let Some(behalf) = &self.behalf {
            request.metadata_mut().insert(ON_BEHALF_OF, behalf.clone());
        }
        Ok(request)
    }
}

impl std::fmt::Debug for PeerToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PeerToken({} to {})", self.from.name, self.to)
    }
}
