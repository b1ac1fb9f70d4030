//! Who watches at a time: so many on a replica, and so few of one person that nobody takes the others' places.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tonic::Code;
use uuid::Uuid;

use crate::Refusal;

/// Of one person: some tabs and a phone.
const MOST_OF_A_PERSON: usize = 4;
/// When to come again after a refusal for want of room.
const RETRY: Duration = Duration::from_secs(30);

/// All who watch. Clones are the same.
#[derive(Clone, Debug)]
pub struct Watchers {
    most: usize,
    watching: Arc<Mutex<HashMap<Uuid, usize>>>,
}

/// A place among them, given back at its end.
#[derive(Debug)]
pub struct Watching {
    among: Watchers,
    person: Uuid,
}

impl Watchers {
    /// Nobody yet, at most so many.
    pub fn new(most: usize) -> Self {
        Self { most, watching: Arc::default() }
    }

    /// Takes a place; refused where there is none.
    pub fn admit(&self, person: Uuid) -> Result<Watching, Refusal> {
        let mut watching = self.now();
        let (all, own) = (watching.values().sum::<usize>(), watching.get(&person).copied().unwrap_or_default());
        if all >= self.most || own >= MOST_OF_A_PERSON {
            let sentence = "当前实时查询人数较多，请稍后再试，或直接查询。";
            return Err(Refusal::new(Code::ResourceExhausted, "TOO_MANY_WATCHERS", sentence).retry_after(RETRY));
        }
        watching.insert(person, own + 1);
        drop(watching);
        Ok(Watching { among: self.clone(), person })
    }

    fn now(&self) -> MutexGuard<'_, HashMap<Uuid, usize>> {
        self.watching.lock().expect("no holder of this lock panics")
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let mut watching = self.among.now();
        let left = watching.get(&self.person).map_or(0, |own| own - 1);
        if left == 0 {
            watching.remove(&self.person);
        } else {
            watching.insert(self.person, left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(watchers: &Watchers, person: u128) -> bool {
        watchers.admit(Uuid::from_u128(person)).is_err()
    }

    #[test]
    fn there_are_so_many_places_and_each_is_given_back() {
        let watchers = Watchers::new(2);
        let first = watchers.admit(Uuid::from_u128(1)).unwrap();
        let _second = watchers.admit(Uuid::from_u128(2)).unwrap();
        assert!(refused(&watchers, 3));
        drop(first);
        assert!(!refused(&watchers, 3));
        assert!(!refused(&watchers, 3), "a place that was given back at once is free again");
    }

    #[test]
    fn nobody_takes_the_places_of_the_others() {
        let watchers = Watchers::new(100);
        let mut own: Vec<Watching> =
            (0..MOST_OF_A_PERSON).map(|_| watchers.admit(Uuid::from_u128(1)).unwrap()).collect();
        assert!(refused(&watchers, 1) && !refused(&watchers, 2));
        own.pop();
        assert!(!refused(&watchers, 1));
        own.clear();
        assert!(watchers.now().is_empty());
    }
}
