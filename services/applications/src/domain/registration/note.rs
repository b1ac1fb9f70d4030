//! 证书附页: what is noted on the certificate (DOMAIN L16). Modelled: no official wording could be read.

use time::Duration;

use crate::domain::calendar::{add_months, in_chinese};
use crate::domain::registration::state::{Application, ConclusionRecord};
use crate::domain::rules::RuleSet;
use crate::domain::values::Conclusion;

impl Application {
    /// The note for a conclusion of this application, by the rules that it was concluded by; `agency` is the name of
    /// the one that concluded.
    pub fn note(&self, record: &ConclusionRecord, rules: &RuleSet, agency: &str) -> String {
        let which =
            if self.ordinal == 1 { "首次注册".to_owned() } else { format!("第{}次定期注册", self.ordinal) };
        let (conclusion, on) = (record.conclusion.name(), in_chinese(record.on));
        let grounds: Vec<String> = record.articles.iter().map(|article| numbered(article)).collect();
        let grounds = if grounds.is_empty() { String::new() } else { format!("依据{}，", grounds.join("、")) };
        let holds = match record.conclusion {
            Conclusion::Qualified => {
                let last = add_months(record.on, rules.cycle_months).saturating_sub(Duration::DAY);
                format!("，有效期至{}", in_chinese(last))
            }
            Conclusion::Deferred | Conclusion::Failed | Conclusion::Revoked => String::new(),
        };
        format!("{which}：{grounds}{conclusion}。日期：{on}{holds}。注册机构：{agency}。报名号：{}。", self.number)
    }
}

/// 9.1 is 第9条第1项.
fn numbered(article: &str) -> String {
    match article.split_once('.') {
        Some((article, item)) => format!("第{article}条第{item}项"),
        None => format!("第{article}条"),
    }
}

#[cfg(test)]
mod tests {
    use decider::Decider as _;

    use crate::domain::registration::testing::*;
    use crate::domain::registration::{Event, Registrations};
    use crate::domain::values::Conclusion;

    fn note(ordinal: u32, conclusion: Conclusion, articles: &[&str]) -> String {
        let concluded = concluded_as(conclusion, articles);
        let state = Registrations::fold(&[submitted(1, ordinal), concluded, Event::CertificateNotePrinted(number(1))]);
        let application = &state.applications[0];
        application.note(application.conclusion().unwrap(), &rules(), "江苏省教育厅")
    }

    #[test]
    fn a_registration_is_noted_with_its_day_and_how_long_it_holds() {
        let told = "日期：2026年11月23日，有效期至2031年11月22日。注册机构：江苏省教育厅。报名号：20263203030000013。";
        assert_eq!(note(1, Conclusion::Qualified, &[]), format!("首次注册：注册合格。{told}"));
        assert_eq!(note(2, Conclusion::Qualified, &[]), format!("第2次定期注册：注册合格。{told}"));
    }

    #[test]
    fn other_conclusions_are_noted_with_their_articles() {
        let told = "日期：2026年11月23日。注册机构：江苏省教育厅。报名号：20263203030000013。";
        let deferred = note(2, Conclusion::Deferred, &["9.1", "9.3"]);
        assert_eq!(deferred, format!("第2次定期注册：依据第9条第1项、第9条第3项，暂缓注册。{told}"));
        assert_eq!(
            note(2, Conclusion::Failed, &["10.2"]),
            format!("第2次定期注册：依据第10条第2项，注册不合格。{told}")
        );
    }
}
