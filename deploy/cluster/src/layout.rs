//! Where everything of a cluster is: folders, files, ports, addresses; and `cluster.json`, which says so to others.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::unistd::getuid;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::actor::Addresses;
use crate::failure::Doing as _;
use crate::services::Service;
use crate::{Failure, Result, ports, secrets, settings};

/// First of the cluster's ports, where `DINGZHU_PORT_BASE` does not say otherwise.
const PORT_BASE: u16 = 7100;

/// One cluster's places. Everything else is derived from them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// Holds everything that the cluster writes.
    pub folder: PathBuf,
    /// PostgreSQL's folder; apart from the others only where PostgreSQL's account cannot reach them.
    pub postgres_folder: PathBuf,
    /// PostgreSQL's port.
    pub postgres_port: u16,
    /// nats-server's port.
    pub nats_port: u16,
    /// gRPC ports.
    pub service_ports: BTreeMap<Service, u16>,
}

impl Layout {
    /// The local cluster of a source tree: `.local/` and the ports from 7100 on.
    pub fn local() -> Result<Self> {
        let folder = Self::local_folder();
        let base = match settings::read("DINGZHU_PORT_BASE") {
            None => PORT_BASE,
            Some(text) => text.parse().doing(|| format!("read DINGZHU_PORT_BASE={text}"))?,
        };
        let service_ports = Service::ALL.into_iter().zip(base + 1..).collect();
        fs::create_dir_all(&folder).doing(|| format!("create {}", folder.display()))?;
        let postgres_folder = reachable(&folder).join("postgres");
        Ok(Self { postgres_folder, folder, postgres_port: base + 32, nats_port: base + 22, service_ports })
    }

    /// The folder of the local cluster.
    pub fn local_folder() -> PathBuf {
        crate::root().join(".local")
    }

    /// A cluster in `folder` on free ports.
    pub fn private(folder: &Path) -> Result<Self> {
        let mut service_ports = BTreeMap::new();
        for service in Service::ALL {
            service_ports.insert(service, ports::free()?);
        }
        Ok(Self {
            folder: folder.to_path_buf(),
            postgres_folder: folder.join("postgres"),
            postgres_port: ports::free()?,
            nats_port: ports::free()?,
            service_ports,
        })
    }

    /// Reads the `cluster.json` of a cluster that was started before.
    pub fn load(folder: &Path) -> Result<Self> {
        let path = folder.join("cluster.json");
        let text = fs::read(&path)
            .map_err(|_| Failure::new(format!("no cluster in {}: start it by deploy/up", folder.display())))?;
        let written: Written = serde_json::from_slice(&text).doing(|| format!("read {}", path.display()))?;
        Ok(written.layout)
    }

    /// Writes `cluster.json`: every address, database and file.
    pub fn save(&self) -> Result<()> {
        let services = Service::ALL.into_iter().map(|service| {
            let described = ServicePlaces {
                url: self.url(service),
                database: self.database(service),
                keys_database: format!("{}_keys", self.database(service)),
                stream: service.stream(),
                log: self.log(service),
                secrets: self.secrets(service),
            };
            (service, described)
        });
        let written = Written {
            layout: self.clone(),
            postgres_url: format!("postgres://postgres@127.0.0.1:{}/postgres", self.postgres_port),
            postgres_password_file: self.postgres_password(),
            nats_url: self.nats_url(),
            root_public_key_file: self.root_public_key(),
            service_public_keys_file: self.service_public_keys(),
            staff_file: self.staff(),
            mail_folder: self.mail(),
            sms_folder: self.sms(),
            services: services.collect(),
        };
        let path = self.folder.join("cluster.json");
        let text = serde_json::to_string_pretty(&written).doing(|| "describe the cluster".into())?;
        fs::write(&path, text + "\n").doing(|| format!("write {}", path.display()))
    }

    /// The gRPC address of a service.
    pub fn url(&self, service: Service) -> String {
        format!("http://127.0.0.1:{}", self.service_ports[&service])
    }

    /// The gRPC addresses of all services.
    pub fn addresses(&self) -> Addresses {
        Addresses {
            identity: self.url(Service::Identity),
            certificates: self.url(Service::Certificates),
            scheduling: self.url(Service::Scheduling),
            applications: self.url(Service::Applications),
            notifications: self.url(Service::Notifications),
        }
    }

    /// The name of a service's database.
    pub fn database(&self, service: Service) -> String {
        format!("dingzhu_{service}")
    }

    /// The address of nats-server.
    pub fn nats_url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.nats_port)
    }

    /// nats-server's folder.
    pub fn nats_folder(&self) -> PathBuf {
        self.folder.join("nats")
    }

    /// A service's log file.
    pub fn log(&self, service: Service) -> PathBuf {
        self.folder.join("log").join(format!("{service}.log"))
    }

    /// The folder of a service's secrets.
    pub fn secrets(&self, service: Service) -> PathBuf {
        self.folder.join("secrets").join(service.name())
    }

    /// One of a service's secrets: `database`, `migrate`, `report`, `keys`, `nats`, `master-key`, `service-key`, `pepper`.
    pub fn secret(&self, service: Service, name: &str) -> PathBuf {
        self.secrets(service).join(name)
    }

    /// The file of the superuser's password.
    pub fn postgres_password(&self) -> PathBuf {
        self.folder.join("secrets").join("postgres")
    }

    /// The seed of identity's root key.
    pub fn root_key(&self) -> PathBuf {
        self.secret(Service::Identity, "root-key")
    }

    /// Its public half, pinned by every service.
    pub fn root_public_key(&self) -> PathBuf {
        self.folder.join("root-public-key")
    }

    /// The public halves of the services' own keys, pinned by every service.
    pub fn service_public_keys(&self) -> PathBuf {
        self.folder.join("service-public-keys.json")
    }

    /// Numbers and passwords of the demonstration staff and of the demonstration applicant.
    pub fn staff(&self) -> PathBuf {
        self.folder.join("secrets").join("staff.json")
    }

    /// Sessions of the demonstration actors.
    pub fn sessions(&self) -> PathBuf {
        self.folder.join("secrets").join("sessions")
    }

    /// What was seeded.
    pub fn seeded(&self) -> PathBuf {
        self.folder.join("seeded.json")
    }

    /// Where mail goes in place of a mail server.
    pub fn mail(&self) -> PathBuf {
        self.folder.join("mail")
    }

    /// Where text messages go in place of a provider.
    pub fn sms(&self) -> PathBuf {
        self.folder.join("sms")
    }

    /// The register that stands in for a provider of real names.
    pub fn real_names(&self) -> PathBuf {
        self.folder.join("real-names.csv")
    }

    /// The folder that stands in for WeChat.
    pub fn wechat(&self) -> PathBuf {
        self.folder.join("wechat")
    }

    /// Which processes `up` has started.
    pub fn processes(&self) -> PathBuf {
        self.folder.join("processes.json")
    }

    /// The superuser's address of a database; its password is made at first use.
    pub fn superuser_url(&self, database: &str) -> Result<String> {
        let password = secrets::keep(&self.postgres_password())?;
        Ok(format!("postgres://postgres:{password}@127.0.0.1:{}/{database}", self.postgres_port))
    }
}

/// What `cluster.json` holds: the layout, and what follows from it for readers of the file.
#[derive(Serialize, Deserialize)]
struct Written {
    layout: Layout,
    postgres_url: String,
    postgres_password_file: PathBuf,
    nats_url: String,
    root_public_key_file: PathBuf,
    service_public_keys_file: PathBuf,
    staff_file: PathBuf,
    mail_folder: PathBuf,
    sms_folder: PathBuf,
    services: BTreeMap<Service, ServicePlaces>,
}

#[derive(Serialize, Deserialize)]
struct ServicePlaces {
    url: String,
    database: String,
    keys_database: String,
    stream: String,
    log: PathBuf,
    secrets: PathBuf,
}

/// `folder` itself, or, when root has it in a place that no other account may enter, one in /var/lib named after it.
fn reachable(folder: &Path) -> PathBuf {
    let open = |path: &Path| fs::metadata(path).is_ok_and(|folder| folder.mode() & 0o001 != 0);
    if !getuid().is_root() || folder.ancestors().all(open) {
        return folder.to_path_buf();
    }
    let digest = hex::encode(Sha256::digest(folder.as_os_str().as_encoded_bytes()));
    Path::new("/var/lib").join(format!("dingzhu-{}", &digest[..12]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_layout_is_loaded_again_and_names_every_database() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::private(folder.path()).unwrap();
        layout.save().unwrap();
        assert_eq!(Layout::load(folder.path()).unwrap(), layout);
        let text = fs::read_to_string(folder.path().join("cluster.json")).unwrap();
        for service in Service::ALL {
            assert!(text.contains(&format!("\"dingzhu_{service}_keys\"")), "{service}");
        }
    }
}
