//! The table of expected answers, `expected.txt`: a row for each RPC, a column for each caller.

use std::collections::BTreeSet;

/// What a caller gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Past authorization.
    Yes,
    /// `PERMISSION_DENIED`, or beyond the own scope.
    No,
    /// As if there were no such object.
    Hidden,
    /// Answered, without the object.
    Empty,
    /// Nobody is signed in.
    SignIn,
}

/// One RPC and what every caller gets.
#[derive(Clone, Debug)]
pub struct Row {
    /// `dingzhu.identity.v1.Staff/GrantRole`
    pub rpc: String,
    /// In the order of the columns, inside and outside of the scope.
    pub marks: Vec<[Mark; 2]>,
}

/// The table.
#[derive(Clone, Debug)]
pub struct Expected {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// In the order in which they are called.
    pub rows: Vec<Row>,
}

impl Mark {
    fn read(word: &str) -> Result<Self, String> {
        match word {
            "yes" => Ok(Self::Yes),
            "no" => Ok(Self::No),
            "hidden" => Ok(Self::Hidden),
            "empty" => Ok(Self::Empty),
            "sign-in" => Ok(Self::SignIn),
            other => Err(format!("{other} is no mark")),
        }
    }
}

impl Expected {
    /// Reads the text; the error says where it is wrong.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut table = Self { columns: Vec::new(), rows: Vec::new() };
        let mut package = String::new();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let mut words = line.split_whitespace();
            let first = words.next().ok_or("a line of spaces")?;
            if let Some(name) = first.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                name.clone_into(&mut package);
            } else if first == "rpc" {
                table.columns = words.map(str::to_owned).collect();
            } else {
                let marks =
                    words.map(cell).collect::<Result<Vec<_>, _>>().map_err(|what| format!("{first}: {what}"))?;
                if marks.len() != table.columns.len() {
                    return Err(format!("{first} has {} marks for {} callers", marks.len(), table.columns.len()));
                }
                table.rows.push(Row { rpc: format!("{package}.{first}"), marks });
            }
        }
        Ok(table)
    }

    /// What is wrong with the table for an API of these RPCs: rows that are missing, rows of nothing, rows that are there twice,
    /// and rows in which nobody gets past: their refusals would show nothing.
    pub fn flaws(&self, offered: &BTreeSet<String>) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let twice =
            self.rows.iter().filter(|row| !seen.insert(&row.rpc)).map(|row| format!("{} is there twice", row.rpc));
        let twice: Vec<String> = twice.collect();
        let missing = offered.iter().filter(|rpc| !seen.contains(rpc)).map(|rpc| format!("{rpc} has no row"));
        let dead = seen.iter().filter(|rpc| !offered.contains(**rpc)).map(|rpc| format!("there is no RPC {rpc}"));
        let idle = self.rows.iter().filter(|row| !row.marks.iter().flatten().any(|mark| *mark == Mark::Yes));
        missing.chain(dead).chain(twice).chain(idle.map(|row| format!("nobody may call {}", row.rpc))).collect()
    }
}

/// `yes/hidden`, or one word for both.
fn cell(text: &str) -> Result<[Mark; 2], String> {
    let (own, other) = text.split_once('/').unwrap_or((text, text));
    Ok([Mark::read(own)?, Mark::read(other)?])
}

#[test]
fn a_table_is_read_and_its_flaws_are_found() {
    let text = "# who\nrpc nobody CLERK\n[a.v1]\nS/One sign-in yes/hidden\nS/Two no no\nS/Two no yes\n";
    let table = Expected::read(text).unwrap();
    assert_eq!(table.rows[0].marks, [[Mark::SignIn; 2], [Mark::Yes, Mark::Hidden]]);
    let offered = ["a.v1.S/One", "a.v1.S/Three"].map(str::to_owned).into();
    let expected = [
        "a.v1.S/Three has no row",
        "there is no RPC a.v1.S/Two",
        "a.v1.S/Two is there twice",
        "nobody may call a.v1.S/Two",
    ];
    assert_eq!(table.flaws(&offered), expected);
    assert!(Expected::read("rpc nobody\nS/One maybe").unwrap_err().contains("maybe"));
    assert!(Expected::read("rpc nobody\nS/One no no").unwrap_err().contains("2 marks"));
}
