//! Which RPCs the canaries have to go through: a table that names every RPC of the API, and what the services logged of their calls.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};

use cluster::{Cluster, Service, call};
use serde_json::Value;

/// What is to become of an RPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    /// A canary calls it, or is spoken of by it, and it is done.
    Done,
    /// The same, and it can only be refused here.
    Refused,
    /// It neither takes nor shows anything of a person.
    Nothing,
}

/// The table; an error says where it is wrong.
fn read(text: &str) -> Result<BTreeMap<String, Call>, String> {
    let (mut rows, mut package) = (BTreeMap::new(), String::new());
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.clone_into(&mut package);
            continue;
        }
        let mut words = line.split_whitespace();
        let (rpc, call) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let call = match call {
            "done" => Call::Done,
            "refused" => Call::Refused,
            "nothing" => Call::Nothing,
            other => return Err(format!("{rpc}: {other} is neither done, refused nor nothing")),
        };
        if words.next().is_none() {
            return Err(format!("{rpc} does not say of what, or why"));
        }
        if rows.insert(format!("{package}.{rpc}"), call).is_some() {
            return Err(format!("{rpc} is there twice"));
        }
    }
    Ok(rows)
}

fn table() -> BTreeMap<String, Call> {
    read(include_str!("calls.txt")).unwrap()
}

#[test]
fn every_rpc_of_the_api_is_gone_through_or_takes_nothing_of_a_person() {
    let methods = call::methods().unwrap();
    let offered: BTreeSet<String> =
        methods.iter().map(|method| format!("{}/{}", method.parent_service().full_name(), method.name())).collect();
    let named: BTreeSet<String> = table().into_keys().collect();
    let (missing, dead): (Vec<_>, Vec<_>) =
        (offered.difference(&named).collect(), named.difference(&offered).collect());
    assert!(missing.is_empty() && dead.is_empty(), "without a row: {missing:#?}\nrows of nothing: {dead:#?}");
}

#[test]
fn a_table_without_reasons_is_none() {
    assert_eq!(
        read("# x\n[a.v1]\nS/One done a name\n").unwrap(),
        BTreeMap::from([("a.v1.S/One".to_owned(), Call::Done)])
    );
    assert!(read("[a.v1]\nS/One nothing\n").is_err() && read("[a.v1]\nS/One why not\n").is_err());
    assert!(read("[a.v1]\nS/One done x\nS/One done y\n").is_err());
}

/// Where the logs of the services ended at some moment.
pub struct Logs(BTreeMap<Service, u64>);

impl Logs {
    pub fn now(cluster: &Cluster) -> Self {
        let end = |service| std::fs::metadata(cluster.layout().log(service)).unwrap().len();
        Self(Service::ALL.into_iter().map(|service| (service, end(service))).collect())
    }

    /// RPCs that had to be gone through since, and were not.
    pub fn lacking(&self, cluster: &Cluster) -> Vec<String> {
        let (mut done, mut refused) = (BTreeSet::new(), BTreeSet::new());
        for (service, from) in &self.0 {
            let mut log = File::open(cluster.layout().log(*service)).unwrap();
            log.seek(SeekFrom::Start(*from)).unwrap();
            for line in BufReader::new(log).lines().map_while(Result::ok).filter(|line| line.contains("call ended")) {
                let Ok(said) = serde_json::from_str::<Value>(&line) else { continue };
                let Some(name) = said["span"]["otel.name"].as_str() else { continue };
                if said["code"] == "OK" { &mut done } else { &mut refused }.insert(name.to_owned());
            }
        }
        let lacks = |(rpc, call): (String, Call)| {
            let met = match call {
                Call::Done => done.contains(&rpc),
                Call::Refused => refused.contains(&rpc),
                Call::Nothing => true,
            };
            (!met).then_some(rpc)
        };
        table().into_iter().filter_map(lacks).collect()
    }
}
