//! 证件类型表: what each document type asks of a number and of its holder's profile, as versions that hold from a day on.

use std::sync::Arc;

use time::Date;

use super::citizen_number::CitizenNumber;
use super::document::{Document, DocumentFlaw, DocumentType, Region};
use super::pattern::Pattern;
use super::profile::Field;

/// Every version of the table, oldest first. Clones share it.
#[derive(Clone, Debug)]
pub struct DocumentTypes(Arc<[DocumentTable]>);

/// One version.
#[derive(Clone, Debug)]
pub struct DocumentTable {
    version: u32,
    holds_from: Date,
    rules: [TypeRules; 4],
}

/// What holds for one type.
#[derive(Clone, Debug)]
pub struct TypeRules {
    /// Which.
    pub kind: DocumentType,
    /// In Chinese.
    pub name: String,
    /// What else it is called in lists.
    pub also_called: Vec<String>,
    /// What its numbers look like, in upper case.
    pub pattern: Pattern,
    /// So many characters are the number; what is printed behind them is not. `None` for all.
    pub keeps: Option<usize>,
    /// What such documents look like that are for residents without Chinese nationality, and none of the four types.
    pub non_chinese: Option<Pattern>,
    /// In Chinese, for whoever has written something else.
    pub hint: String,
    /// What a number may begin with; empty for anything.
    pub divisions: Vec<String>,
    /// How else a number is checked.
    pub check: Check,
    /// What the beginning of a number says of its holder; the first that fits counts.
    pub origins: Vec<(String, Origin)>,
    /// What a profile asks for; nothing else is expected.
    pub fields: Vec<(Field, Requirement)>,
}

/// An algorithm that checks a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// GB 11643: birth date and check digit, so that a number says birth date and sex.
    Gb11643,
    /// Nothing beyond the pattern.
    Shape,
}

/// Where the holder of a document comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// There.
    pub region: Region,
    /// The type of the 通行证 that goes with it.
    pub permit: Option<DocumentType>,
}

/// Whether a field has to be filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// It has to.
    Required,
    /// It may stay empty.
    Optional,
}

/// Why a table cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableFlaw {
    /// The four types are not all there, or one of them twice.
    #[error("it does not name each of the types 1 to 4 once")]
    Types,
    /// Two types have a name in common.
    #[error("two types are called {0}")]
    Name(String),
    /// A number does not name one type.
    #[error("a number can be one of type {0} and one of type {1}")]
    Overlap(i32, i32),
    /// More is kept than there is.
    #[error("type {0} keeps more than its shortest number has")]
    Keeps(i32),
    /// Nobody says by which region a field is read.
    #[error("type {0} asks for a local ID number or a permit, and its origins do not say of where")]
    Origins(i32),
    /// GB 11643 is asked of something else.
    #[error("type {0} checks by GB 11643 what has not 18 characters")]
    Length(i32),
    /// Versions are not 1, 2, 3 …, each holding from a later day than the one before.
    #[error("version {0} does not follow the one before it, in number and day")]
    Order(u32),
    /// There is none.
    #[error("there is no version")]
    Empty,
}

impl DocumentTypes {
    /// These versions, oldest first.
    pub fn new(tables: Vec<DocumentTable>) -> Result<Self, TableFlaw> {
        if tables.is_empty() {
            return Err(TableFlaw::Empty);
        }
        let mut before: Option<&DocumentTable> = None;
        for (number, table) in (1..).zip(&tables) {
            let later = before.is_none_or(|before| before.holds_from < table.holds_from);
            if table.version != number || !later {
                return Err(TableFlaw::Order(table.version));
            }
            before = Some(table);
        }
        Ok(Self(tables.into()))
    }

    /// The version that holds on a day in China; before all of them, the first.
    pub fn on(&self, day: Date) -> &DocumentTable {
        self.0.iter().rev().find(|table| table.holds_from <= day).unwrap_or(&self.0[0])
    }

    /// The document that a number belongs to, by its shape alone, whichever version took it. `None` where it can belong to none.
    pub fn recognise(&self, text: &str) -> Option<Document> {
        self.0.iter().rev().find_map(|table| table.recognise(text))
    }
}

impl DocumentTable {
    /// A version with these rules, if they fit together.
    pub fn new(version: u32, holds_from: Date, rules: Vec<TypeRules>) -> Result<Self, TableFlaw> {
        let mut rules: [TypeRules; 4] = rules.try_into().map_err(|_| TableFlaw::Types)?;
        rules.sort_by_key(|rules| rules.kind.code());
        if rules.each_ref().map(|rules| rules.kind) != DocumentType::ALL {
            return Err(TableFlaw::Types);
        }
        let mut names: Vec<&String> = rules.iter().flat_map(TypeRules::names).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(TableFlaw::Name(twice[0].clone()));
        }
        for (at, one) in rules.iter().enumerate() {
            one.check()?;
            if let Some(two) = rules[at + 1..].iter().find(|two| one.pattern.overlaps(&two.pattern)) {
                return Err(TableFlaw::Overlap(one.kind.code(), two.kind.code()));
            }
        }
        Ok(Self { version, holds_from, rules })
    }

    /// Its number, from 1.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// From this day on, in China.
    pub fn holds_from(&self) -> Date {
        self.holds_from
    }

    /// What holds for each type, by their numbers.
    pub fn all(&self) -> &[TypeRules; 4] {
        &self.rules
    }

    /// What holds for a type.
    pub fn rules(&self, kind: DocumentType) -> &TypeRules {
        let [resident_id, residence_permit, hk_macau_permit, taiwan_permit] = &self.rules;
        match kind {
            DocumentType::ResidentId => resident_id,
            DocumentType::ResidencePermit => residence_permit,
            DocumentType::HkMacauPermit => hk_macau_permit,
            DocumentType::TaiwanPermit => taiwan_permit,
        }
    }

    /// The type that is called so.
    pub fn called(&self, name: &str) -> Option<DocumentType> {
        self.rules.iter().find(|rules| rules.names().any(|known| known == name)).map(|rules| rules.kind)
    }

    /// Reads a number as it was typed: blanks around it go, small letters become capital.
    pub fn parse(&self, kind: DocumentType, text: &str, today: Date) -> Result<Document, DocumentFlaw> {
        let (text, rules) = (normal(text), self.rules(kind));
        if text.is_empty() {
            return Err(DocumentFlaw::Empty);
        }
        if !rules.pattern.matches(&text) {
            if rules.non_chinese.as_ref().is_some_and(|pattern| pattern.matches(&text)) {
                return Err(DocumentFlaw::NonChineseResident);
            }
            // Two cards of one standard are easily taken for each other.
            let confused = |other: &TypeRules| other.check == Check::Gb11643 && other.pattern.matches(&text);
            let is_confused = rules.check == Check::Gb11643 && self.rules.iter().any(confused);
            return Err(if is_confused { DocumentFlaw::OtherType } else { DocumentFlaw::Shape });
        }
        let begins = |division: &String| text.starts_with(division.as_str());
        if !rules.divisions.is_empty() && !rules.divisions.iter().any(begins) {
            return Err(DocumentFlaw::Province);
        }
        match rules.check {
            Check::Gb11643 => drop(CitizenNumber::parse(&text, today)?),
            Check::Shape => {}
        }
        Ok(self.document(kind, &text))
    }

    /// The document that a number belongs to, by its shape alone: a number names one type. `None` where it can belong to none.
    pub fn recognise(&self, text: &str) -> Option<Document> {
        let text = normal(text);
        let rules = self.rules.iter().find(|rules| rules.pattern.matches(&text))?;
        Some(self.document(rules.kind, &text))
    }

    /// Reads a number whose type nobody names. One of no type's shape has the flaw that it has as a resident's.
    pub fn judge(&self, text: &str, today: Date) -> Result<Document, DocumentFlaw> {
        let kind = self.recognise(text).map_or(DocumentType::ResidentId, |shaped| shaped.kind());
        self.parse(kind, text, today)
    }

    fn document(&self, kind: DocumentType, text: &str) -> Document {
        let rules = self.rules(kind);
        let number = text[..rules.keeps.unwrap_or(text.len())].to_owned();
        let origin = rules.origins.iter().find(|(prefix, _)| number.starts_with(prefix)).map(|(_, origin)| *origin);
        Document { kind, number, origin, check: rules.check, read_by: self.version }
    }
}

impl TypeRules {
    /// Whether a profile asks for a field; `None` where it is not expected.
    pub fn requirement(&self, field: Field) -> Option<Requirement> {
        self.fields.iter().find(|(asked, _)| *asked == field).map(|(_, requirement)| *requirement)
    }

    fn names(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.name).chain(&self.also_called)
    }

    fn check(&self) -> Result<(), TableFlaw> {
        let code = self.kind.code();
        if self.keeps.is_some_and(|keeps| keeps > self.pattern.shortest()) {
            return Err(TableFlaw::Keeps(code));
        }
        if self.check == Check::Gb11643 && self.pattern.shortest() != 18 {
            return Err(TableFlaw::Length(code));
        }
        let permits = self.origins.iter().all(|(_, origin)| origin.permit.is_some());
        let local = self.requirement(Field::LocalIdNumber).is_some();
        let permit = self.requirement(Field::PermitNumber).is_some();
        if (local || permit) && self.origins.is_empty() || permit && !permits {
            return Err(TableFlaw::Origins(code));
        }
        Ok(())
    }
}

fn normal(text: &str) -> String {
    text.trim().to_ascii_uppercase()
}

#[cfg(test)]
mod tests;
