//! What is a template and what is not, and how one is filled in.

use super::*;
use proptest::prelude::*;

const FILE: &str = "channels: inbox mail sms\ntitle: 报名号 {number}\n\n[body]\n第一行 {number}\n\n第二行\n[sms]\n【定注】{number}，{day}。\n";

fn values(pairs: &[(&str, &str)]) -> Values {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_file_becomes_title_body_and_sms() {
    let template = Template::parse("test", 3, FILE).unwrap();
    assert_eq!((template.name, template.version), ("test", 3));
    assert_eq!(template.channels, Channel::ALL);
    let values = values(&[("number", "17"), ("day", "今天")]);
    assert_eq!(template.render_title(&values).unwrap(), "报名号 17");
    assert_eq!(template.render_body(&values).unwrap(), "第一行 17\n\n第二行");
    assert_eq!(template.render_sms(&values).unwrap(), "【定注】17，今天。");
    assert_eq!(template.body.source(), "第一行 {number}\n\n第二行");
    assert_eq!(template.placeholders().collect::<Vec<_>>(), ["number", "number", "number", "day"]);
}

#[test]
fn a_placeholder_without_a_value_is_refused_and_never_left_blank() {
    let template = Template::parse("test", 1, FILE).unwrap();
    let refused = template.render_sms(&values(&[("number", "17")]));
    assert_eq!(refused, Err(UnknownPlaceholder("day".to_owned())));
}

#[test]
fn a_value_that_looks_like_a_placeholder_stays_as_it_is() {
    let template = Template::parse("test", 1, FILE).unwrap();
    let values = values(&[("number", "{day}"), ("day", "x")]);
    assert_eq!(template.render_title(&values).unwrap(), "报名号 {day}");
}

#[test]
fn what_is_no_template_is_refused() {
    let cases = [
        ("colour: red\n", TemplateError::Line("colour: red".to_owned())),
        ("channels: pigeon\n", TemplateError::Channel("pigeon".to_owned())),
        ("channels: sms\n", TemplateError::Part("sms")),
        ("channels: mail\n[body]\nx\n", TemplateError::Part("title")),
        ("channels: inbox\ntitle: x\n", TemplateError::Part("body")),
        ("channels: inbox\ntitle: x\n[body]\nx\n[sms]\ny\n", TemplateError::Part("sms")),
        ("channels: sms\n[sms]\nopen {name\n", TemplateError::Brace("open {name".to_owned())),
        ("channels: sms\n[sms]\nclosed name}\n", TemplateError::Brace("closed name}".to_owned())),
        ("channels: sms\n[sms]\nodd {Name}\n", TemplateError::Brace("odd {Name}".to_owned())),
        ("channels: sms\n[sms]\nempty {}\n", TemplateError::Brace("empty {}".to_owned())),
    ];
    for (file, error) in cases {
        assert_eq!(Template::parse("test", 1, file), Err(error), "{file}");
    }
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused_without_a_panic(text in "(?s)(channels: sms\n\\[sms\\]\n)?.{0,200}") {
        if let Ok(template) = Template::parse("test", 1, &text) {
            let given = template.placeholders().map(|name| (name.to_owned(), format!("{{{name}}}"))).collect();
            prop_assert_eq!(template.render_sms(&given).unwrap(), template.sms.source());
        }
    }
}
