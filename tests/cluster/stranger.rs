//! The whole cluster as a stranger meets it: what the walk prints, calls by name, grpcurl, a second start on the same data.

use std::process::Command;
use std::sync::Mutex;

use cluster::seed::{self, Seeded};
use cluster::{Cluster, Service, call, install, walk};

/// Teachers of a test's register.
const TEACHERS: u32 = 50;

/// A cluster with a season in it.
async fn in_season() -> (Cluster, Seeded) {
    let cluster = Cluster::start().await.unwrap();
    let seeded = seed::fill(&cluster, TEACHERS, &|_| {}).await.unwrap();
    (cluster, seeded)
}

/// Collects what a command would print.
#[derive(Default)]
struct Printed(Mutex<Vec<String>>);

impl Printed {
    fn say(&self, line: &str) {
        self.0.lock().unwrap().push(line.to_owned());
    }

    fn text(&self) -> String {
        self.0.lock().unwrap().join("\n")
    }
}

fn grpcurl(cluster: &Cluster, service: Service, arguments: &[&str]) -> String {
    let address = cluster.layout().url(service);
    let mut command = Command::new(install::grpcurl().unwrap());
    command.arg("-plaintext").arg(address.trim_start_matches("http://")).args(arguments);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn a_stranger_sees_the_walk_asks_all_five_and_starts_again_on_the_same_data() {
    let (mut cluster, mut seeded) = in_season().await;

    let printed = Printed::default();
    walk::walk(cluster.layout(), &mut seeded, &|line| printed.say(line)).await.unwrap();
    let text = printed.text();
    let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what} is not in\n{text}"));
    let order = ["报名号", "PENDING_ONLINE_CONFIRMATION", "CONFIRMED", "CONCLUDED QUALIFIED", "站内消息"].map(at);
    assert!(order.is_sorted(), "{text}");

    // The same call for all five, as `deploy/call operator` makes it.
    let status = Printed::default();
    let method = "dingzhu.operations.v1.Operations/GetStatus";
    call::call(cluster.layout(), None, "operator", method, "{}", &|line| status.say(line)).await.unwrap();
    for service in Service::ALL {
        assert!(status.text().contains(&format!("\"service\": \"{service}\"")), "{}", status.text());
    }

    for service in Service::ALL {
        let list = grpcurl(&cluster, service, &["list"]);
        assert!(list.contains("dingzhu.operations.v1.Operations"), "{list}");
        let own = list.lines().find(|line| line.starts_with(&format!("dingzhu.{service}.v1."))).unwrap();
        assert!(grpcurl(&cluster, service, &["describe", own]).contains("is a service"));
    }

    // A second start finds its data, and the next teacher walks.
    cluster.stop().await.unwrap();
    cluster.start_again().await.unwrap();
    let mut again = seed::fill(&cluster, TEACHERS, &|_| {}).await.unwrap();
    assert_eq!(again, seeded);
    walk::walk(cluster.layout(), &mut again, &|_| {}).await.unwrap();
    assert_eq!(again.walked, 2);

    for service in Service::ALL {
        cluster.run(service, &["verify-log"]).await.unwrap();
    }
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_refused_is_refused_with_reason_and_sentence() {
    let (mut cluster, _seeded) = in_season().await;
    let refused = async |who: &str, method: &str, json: &str| {
        call::call(cluster.layout(), None, who, method, json, &|_| {}).await.unwrap_err().to_string()
    };
    let wrong_digit = refused(
        call::NOBODY,
        "dingzhu.identity.v1.Accounts/RegisterAccount",
        r#"{"requestId": "0b6f4a52-8f0e-4d0a-9d3c-2f4c52a4b7a1", "documentType": "DOCUMENT_TYPE_RESIDENT_ID",
            "number": "320303199001010019", "name": "示例", "phone": "1", "password": "short"}"#,
    );
    let wrong_digit = wrong_digit.await;
    for field in ["INVALID_FIELDS", "number: ", "phone: ", "password: ", "email: "] {
        assert!(wrong_digit.contains(field), "{field} is not in {wrong_digit}");
    }
    let nobody = refused(call::NOBODY, "dingzhu.operations.v1.Operations/GetStatus", "{}").await;
    assert!(nobody.contains("Unauthenticated"), "{nobody}");
    let clerk = refused("clerk", "dingzhu.applications.v1.Rules/PublishRuleSet", "{}").await;
    assert!(clerk.contains("PermissionDenied"), "{clerk}");
    cluster.stop().await.unwrap();
}
