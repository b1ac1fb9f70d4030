//! The environment of each service: the one table of names that services read and this crate writes.

use std::path::Path;

use crate::layout::Layout;
use crate::services::Service;
use crate::{Result, secrets};

/// Variables of `serve` and the other commands, for the replica that listens on `port`.
pub fn of_service(layout: &Layout, service: Service, port: u16) -> Result<Vec<(String, String)>> {
    let file = |path: &Path| path.display().to_string();
    let secret = |name: &str| layout.secret(service, name);
    let mut table = vec![
        ("DINGZHU_LISTEN".to_owned(), format!("127.0.0.1:{port}")),
        ("DINGZHU_DATABASE_URL".to_owned(), database_url(layout, service, "", "database")?),
        ("DINGZHU_KEYS_DATABASE_URL".to_owned(), keys_url(layout, service)?),
        ("DINGZHU_MASTER_KEY_FILE".to_owned(), file(&secret("master-key"))),
        ("DINGZHU_ERASURE_MARK_FILE".to_owned(), file(&secret("erasure-mark"))),
        ("DINGZHU_NATS_URL".to_owned(), layout.nats_url()),
        ("DINGZHU_NATS_USER".to_owned(), service.name().to_owned()),
        ("DINGZHU_NATS_PASSWORD_FILE".to_owned(), file(&secret("nats"))),
        ("DINGZHU_ROOT_PUBLIC_KEY_FILE".to_owned(), file(&layout.root_public_key())),
        ("DINGZHU_SERVICE_KEY_FILE".to_owned(), file(&secret("service-key"))),
        ("DINGZHU_SERVICE_PUBLIC_KEYS_FILE".to_owned(), file(&layout.service_public_keys())),
        ("DINGZHU_REFLECTION".to_owned(), "true".to_owned()),
        // Programs of this machine stand in for many: the portal for its visitors, a benchmark for a crowd.
        ("DINGZHU_TRUSTED_PROXIES".to_owned(), "127.0.0.1".to_owned()),
        ("DINGZHU_LOG".to_owned(), "info".to_owned()),
        ("DINGZHU_LOG_FORMAT".to_owned(), "json".to_owned()),
    ];
    for other in Service::ALL {
        table.push((format!("DINGZHU_{}_URL", other.stream()), layout.url(other)));
    }
    match service {
        Service::Identity => {
            table.push(("DINGZHU_ROOT_KEY_FILE".to_owned(), file(&layout.root_key())));
            table.push(("DINGZHU_PEPPER_FILE".to_owned(), file(&secret("pepper"))));
            table.push(("DINGZHU_REAL_NAME_FILE".to_owned(), file(&layout.real_names())));
            table.push(("DINGZHU_WECHAT_DIR".to_owned(), file(&layout.wechat())));
        }
        Service::Notifications => {
            table.push(("DINGZHU_MAIL_DIR".to_owned(), file(&layout.mail())));
            table.push(("DINGZHU_SMS_DIR".to_owned(), file(&layout.sms())));
        }
        Service::Certificates | Service::Scheduling | Service::Applications => {}
    }
    Ok(table)
}

/// What `migrate` gets beside the table: the address of the role that may change the schema.
pub fn of_migration(layout: &Layout, service: Service) -> Result<(String, String)> {
    Ok(("DINGZHU_MIGRATE_DATABASE_URL".to_owned(), database_url(layout, service, "_migrate", "migrate")?))
}

fn database_url(layout: &Layout, service: Service, role: &str, secret: &str) -> Result<String> {
    let password = secrets::keep(&layout.secret(service, secret))?;
    let (port, database) = (layout.postgres_port, layout.database(service));
    Ok(format!("postgres://dingzhu_{service}{role}:{password}@127.0.0.1:{port}/{database}"))
}

fn keys_url(layout: &Layout, service: Service) -> Result<String> {
    let password = secrets::keep(&layout.secret(service, "keys"))?;
    let port = layout.postgres_port;
    Ok(format!("postgres://dingzhu_{service}_keys:{password}@127.0.0.1:{port}/dingzhu_{service}_keys"))
}
