//! How names are found: by a part of them, or by the pinyin initials (拼音首字母) of a part, through pairs of neighbours that an
//! index holds.

use std::collections::BTreeSet;

use pinyin::ToPinyinMulti as _;
use sqlx::{Postgres, QueryBuilder};

/// What a row keeps of its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The initials of each character, one or more, with a blank behind each: `ctz q y z ` for 重庆一中.
    pub initials: String,
    /// Every two neighbours: of the name, and of its initials in every reading.
    pub pairs: Vec<String>,
}

impl Keys {
    /// Of a name.
    pub fn of(name: &str) -> Self {
        let letters: Vec<BTreeSet<char>> = name.chars().map(initials).filter(|letters| !letters.is_empty()).collect();
        let mut found: BTreeSet<String> = pairs(name).into_iter().collect();
        for two in letters.windows(2) {
            found.extend(two[0].iter().flat_map(|one| two[1].iter().map(move |next| String::from_iter([one, next]))));
        }
        let initials = letters.iter().map(|letters| letters.iter().collect::<String>() + " ").collect();
        Self { initials, pairs: found.into_iter().collect() }
    }
}

/// In lower case: of a character of Chinese in each of its readings; of a letter or digit itself; of a sign none.
fn initials(character: char) -> BTreeSet<char> {
    if character.is_ascii_alphanumeric() {
        return BTreeSet::from([character.to_ascii_lowercase()]);
    }
    let readings = character.to_pinyin_multi().into_iter().flatten();
    readings.filter_map(|reading| reading.first_letter().chars().next()).collect()
}

fn pairs(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters.windows(2).map(String::from_iter).collect()
}

/// What somebody looks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sought {
    /// Anything.
    All,
    /// A part of a name.
    Part(String),
    /// Initials in a row, in lower case.
    Initials(String),
}

impl Sought {
    /// Letters and digits alone are initials, everything else is a part of a name.
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        match text {
            "" => Self::All,
            text if text.chars().all(|character| character.is_ascii_alphanumeric()) => {
                Self::Initials(text.to_ascii_lowercase())
            }
            text => Self::Part(text.to_owned()),
        }
    }

    /// Narrows a query over rows with the columns of [`Keys`] and `name`.
    pub fn narrow(&self, query: &mut QueryBuilder<Postgres>) {
        let (pairs, exactly) = match self {
            Self::All => return,
            Self::Part(part) => (pairs(part), part.clone()),
            Self::Initials(letters) => {
                let letters: Vec<String> = letters.chars().map(String::from).collect();
                (pairs(&letters.concat()), letters.join("[a-z0-9]* [a-z0-9]*"))
            }
        };
        if !pairs.is_empty() {
            query.push(" AND pairs @> ").push_bind(pairs);
        }
        match self {
            Self::All => {}
            Self::Part(_) => drop(query.push(" AND strpos(name, ").push_bind(exactly).push(") > 0")),
            Self::Initials(_) => drop(query.push(" AND initials ~ ").push_bind(exactly)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reading_of_a_character_counts() {
        let keys = Keys::of("重庆一中");
        assert_eq!(keys.initials, "ctz q y z ");
        for pair in ["重庆", "庆一", "一中", "cq", "tq", "zq", "qy", "yz"] {
            assert!(keys.pairs.iter().any(|known| known == pair), "{pair}");
        }
        assert_eq!(keys.pairs.len(), 8);
    }

    #[test]
    fn letters_and_digits_are_their_own_initials_and_signs_have_none() {
        assert_eq!(Keys::of("徐州市第1中学（A区）").initials, "x z fs d 1 z x a oq ");
        assert_eq!(Keys::of("，。").initials, "");
    }

    #[test]
    fn letters_alone_are_initials() {
        assert_eq!(Sought::parse(" "), Sought::All);
        assert_eq!(Sought::parse(" XZ1 "), Sought::Initials("xz1".to_owned()));
        assert_eq!(Sought::parse("徐州1中"), Sought::Part("徐州1中".to_owned()));
        assert_eq!(Sought::parse("x z"), Sought::Part("x z".to_owned()));
    }
}
