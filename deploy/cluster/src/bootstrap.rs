//! What a cluster needs before its services start: secrets, keys, databases, roles, NATS users. Doing it again changes nothing.

use std::collections::BTreeMap;
use std::fs;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::failure::Doing as _;
use crate::layout::Layout;
use crate::services::Service;
use crate::{Result, secrets};

const ROLES: &str = include_str!("../../postgres/roles.sql");
const DATABASE: &str = include_str!("../../postgres/database.sql");
const KEYS: &str = include_str!("../../postgres/keys.sql");
const NATS_USER: &str = include_str!("../../nats/user.conf");

/// Draws every key and password that is not there yet, and writes the files that name the public ones.
pub fn keys(layout: &Layout) -> Result<()> {
    let mut public = BTreeMap::new();
    for service in Service::ALL {
        for name in ["database", "migrate", "report", "keys", "nats", "master-key"] {
            secrets::keep(&layout.secret(service, name))?;
        }
        let seed = secrets::keep(&layout.secret(service, "service-key"))?;
        public.insert(service, secrets::public_key(&seed)?);
    }
    secrets::keep(&layout.secret(Service::Identity, "pepper"))?;
    let root = secrets::public_key(&secrets::keep(&layout.root_key())?)?;
    secrets::write(&layout.root_public_key(), &root)?;
    let public = serde_json::to_string_pretty(&public).doing(|| "list the public keys".into())?;
    secrets::write(&layout.service_public_keys(), &public)?;
    for folder in [layout.mail(), layout.sms()] {
        fs::create_dir_all(&folder).doing(|| format!("create {}", folder.display()))?;
    }
    Ok(())
}

/// Makes the roles and both databases of every service.
pub async fn databases(layout: &Layout) -> Result<()> {
    let mut server = connect(layout, "postgres").await?;
    for service in Service::ALL {
        let mut roles = ROLES.replace("{service}", service.name());
        for name in ["database", "migrate", "report", "keys"] {
            let password = secrets::keep(&layout.secret(service, name))?;
            roles = roles.replace(&format!("{{password:{name}}}"), &password);
        }
        run(&mut server, roles).await.doing(|| format!("make the roles of {service}"))?;
        let name = layout.database(service);
        create(&mut server, &name, &format!("{name}_owner")).await?;
        create(&mut server, &format!("{name}_keys"), &format!("{name}_keys")).await?;
        for (database, grants) in [(name.clone(), DATABASE), (format!("{name}_keys"), KEYS)] {
            let mut connection = connect(layout, &database).await?;
            let grants = grants.replace("{service}", service.name());
            run(&mut connection, grants).await.doing(|| format!("grant what belongs to {service} in {database}"))?;
            connection.close().await.doing(|| format!("disconnect from {database}"))?;
        }
    }
    server.close().await.doing(|| "disconnect from PostgreSQL".into())
}

/// The block of users of nats-server's configuration.
pub fn nats_users(layout: &Layout) -> Result<String> {
    let mut users = String::from("authorization {\n users: [\n");
    for service in Service::ALL {
        let readers: Vec<String> = Service::ALL
            .into_iter()
            .filter(|other| *other != service)
            .flat_map(|other| {
                let stream = other.stream();
                let requests = ["CREATE.STREAM", "CREATE.STREAM.>", "MSG.NEXT.STREAM.*"];
                requests.map(|request| format!("\"$JS.API.CONSUMER.{}\"", request.replace("STREAM", &stream)))
            })
            .collect();
        let password = secrets::keep(&layout.secret(service, "nats"))?;
        let user = NATS_USER.replace("{service}", service.name()).replace("{STREAM}", &service.stream());
        users += &user.replace("{password}", &password).replace("{readers}", &readers.join(", "));
    }
    Ok(users + " ]\n}\n")
}

async fn connect(layout: &Layout, database: &str) -> Result<PgConnection> {
    let url = layout.superuser_url(database)?;
    PgConnection::connect(&url).await.doing(|| format!("connect to the database {database}"))
}

async fn run(connection: &mut PgConnection, sql: String) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(|_| ())
}

async fn create(server: &mut PgConnection, database: &str, owner: &str) -> Result<()> {
    let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(database)
        .fetch_one(&mut *server)
        .await
        .doing(|| format!("look for the database {database}"))?;
    if exists {
        return Ok(());
    }
    run(server, format!("CREATE DATABASE {database} OWNER {owner}")).await.doing(|| format!("create {database}"))
}

#[cfg(test)]
mod tests;
