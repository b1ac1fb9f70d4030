//! The catalogue of templates: the files of `templates/`, each version kept for ever.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::domain::template::Template;

macro_rules! files {
    ($($name:ident v $version:literal),* $(,)?) => {
        &[$((
            stringify!($name),
            $version,
            include_str!(concat!("../templates/", stringify!($name), ".v", $version, ".txt")),
        )),*]
    };
}

/// Every file, oldest version first.
const FILES: &[(&str, u32, &str)] = files![
    application_submitted v 1,
    application_amended v 1,
    application_withdrawn v 1,
    application_confirmed v 1,
    confirmation_refused v 1,
    application_returned v 1,
    review_passed v 1,
    application_sent_back v 1,
    review_sent_back v 1,
    concluded_qualified v 1,
    concluded_deferred v 1,
    concluded_failed v 1,
    conclusion_reversed v 1,
    registration_revoked v 1,
    draft_reminder v 1,
    draft_last_reminder v 1,
    register_code v 1,
    sign_in_code v 1,
    account_exists v 1,
    new_phone_code v 1,
    email_code v 1,
    password_changed v 1,
    phone_changed v 1,
    email_changed v 1,
    recovery_code v 1,
    recovery_link v 1,
    phone_fix_requested v 1,
    phone_fix_requested_mail v 1,
    phone_fix_approved v 1,
    phone_fix_refused v 1,
    wechat_bound v 1,
    wechat_unbound v 1,
];

/// Templates whose only messages are one-time secrets and warnings that the service identity hands over.
pub const SECRETS: &[&str] = &[
    "register_code",
    "sign_in_code",
    "account_exists",
    "new_phone_code",
    "email_code",
    "password_changed",
    "phone_changed",
    "email_changed",
    "recovery_code",
    "recovery_link",
    "phone_fix_requested",
    "phone_fix_requested_mail",
    "phone_fix_approved",
    "phone_fix_refused",
    "wechat_bound",
    "wechat_unbound",
];
/// What stands for the secret in those of them that carry one.
pub const SECRET_PLACEHOLDER: &str = "code";
/// What stands for the portal's address in those of them that carry a link.
pub const PORTAL_PLACEHOLDER: &str = "portal";

/// All versions of all templates.
#[derive(Debug)]
pub struct Catalogue(BTreeMap<&'static str, BTreeMap<u32, Template>>);

static SHIPPED: LazyLock<Catalogue> = LazyLock::new(|| {
    let mut catalogue = BTreeMap::<_, BTreeMap<_, _>>::new();
    for (name, version, file) in FILES {
        let template =
            Template::parse(name, *version, file).expect("a shipped template is well formed, a test reads all");
        catalogue.entry(*name).or_default().insert(*version, template);
    }
    Catalogue(catalogue)
});

impl Catalogue {
    /// Those of this program.
    pub fn shipped() -> &'static Self {
        &SHIPPED
    }

    /// The newest version of a template: the one for new messages.
    pub fn in_force(&self, name: &str) -> Option<&Template> {
        self.0.get(name)?.values().next_back()
    }

    /// One version, for messages that were made with it.
    pub fn find(&self, name: &str, version: u32) -> Option<&Template> {
        self.0.get(name)?.get(&version)
    }

    /// All templates in force, by name.
    pub fn list(&self) -> impl Iterator<Item = &Template> {
        self.0.values().filter_map(|versions| versions.values().next_back())
    }

    /// All versions of one template, oldest first.
    pub fn versions(&self, name: &str) -> impl Iterator<Item = &Template> {
        self.0.get(name).into_iter().flat_map(BTreeMap::values)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::domain::channel::Channel;

    #[test]
    fn every_file_of_the_folder_is_shipped() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
        let found: BTreeSet<String> =
            folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        let shipped = FILES.iter().map(|(name, version, _)| format!("{name}.v{version}.txt")).collect();
        assert_eq!(found, shipped);
    }

    #[test]
    fn every_file_is_well_formed_and_versions_have_no_gap() {
        let mut last: BTreeMap<&str, u32> = BTreeMap::new();
        for (name, version, file) in FILES {
            let parsed = Template::parse(name, *version, file);
            assert!(parsed.is_ok(), "{name} v{version}: {}", parsed.unwrap_err());
            assert_eq!(*version, last.insert(name, *version).unwrap_or(0) + 1, "{name}");
        }
    }

    #[test]
    fn secrets_go_one_way_and_know_no_placeholder_but_the_code_and_the_portal() {
        for name in SECRETS {
            for template in Catalogue::shipped().versions(name) {
                assert!(matches!(template.channels[..], [Channel::Sms | Channel::Mail]), "{name}");
                let known = [SECRET_PLACEHOLDER, PORTAL_PLACEHOLDER];
                assert!(template.placeholders().all(|placeholder| known.contains(&placeholder)), "{name}");
            }
            assert!(Catalogue::shipped().in_force(name).is_some(), "{name}");
        }
    }

    #[test]
    fn a_short_message_is_short_and_signed() {
        for template in Catalogue::shipped().list().filter(|template| template.channels.contains(&Channel::Sms)) {
            let text = template.sms.source();
            assert!(text.starts_with("【定注】"), "{}", template.name);
            assert!(text.chars().count() <= 134, "{} is {} characters long", template.name, text.chars().count());
        }
    }
}
