//! Lanes that take long. They are finished aside, so that nothing waits for them: neither another's notices nor those of the same
//! endpoint's other cards.

use kachi_engine::webhooks::Endpoint;
use std::collections::HashMap;
use std::sync::Mutex;

/// How many lanes of which endpoint are aside.
#[derive(Debug)]
pub struct Aside {
    most: usize,
    lanes: Mutex<HashMap<Endpoint, usize>>,
}

impl Aside {
    /// Room for about so many lanes in all.
    pub fn new(most: usize) -> Aside {
        Aside { most, lanes: Mutex::default() }
    }

    /// Sets lanes of these endpoints aside, if there is room for any.
    pub fn put<'e>(&self, more: impl Iterator<Item = &'e Endpoint>) -> bool {
        let mut lanes = self.lanes.lock().expect("no panic while it is held");
        let has_room = self.left(&lanes) > 0;
        if has_room {
            more.for_each(|endpoint| *lanes.entry(endpoint.clone()).or_default() += 1);
        }
        has_room
    }

    /// The room that is left. An endpoint takes half of it at most, however many lanes of it went aside at once.
    fn left(&self, lanes: &HashMap<Endpoint, usize>) -> usize {
        self.most.saturating_sub(lanes.values().map(|n| (*n).min(self.most / 2)).sum())
    }

    /// Whether none is aside.
    pub fn is_empty(&self) -> bool {
        self.lanes.lock().expect("no panic while it is held").is_empty()
    }

    /// A lane has ended.
    pub fn end(&self, endpoint: &Endpoint) {
        let mut lanes = self.lanes.lock().expect("no panic while it is held");
        if let Some(n) = lanes.get_mut(endpoint) {
            *n -= 1;
            if *n == 0 {
                lanes.remove(endpoint);
            }
        }
    }

    /// The endpoints with as many lanes aside as there is room left: they wait. So each of n that are slow has about an n-th, and there
    /// is room for one more.
    pub fn full(&self) -> Vec<Endpoint> {
        let lanes = self.lanes.lock().expect("no panic while it is held");
        let left = self.left(&lanes);
        lanes.iter().filter(|(_, n)| **n >= left).map(|(endpoint, _)| endpoint.clone()).collect()
    }

    /// Whether it is one of the [`Aside::full`].
    pub fn is_full(&self, endpoint: &Endpoint) -> bool {
        self.full().contains(endpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kachi_domain::AccountId;

    #[test]
    fn each_slow_endpoint_has_its_share_and_leaves_room_for_one_more() {
        let (aside, endpoint) = (Aside::new(12), |n| (AccountId(n), "eiotclub".to_owned()));
        let put = |n, lanes| aside.put(vec![endpoint(n); lanes].iter());
        let full = |n| aside.is_full(&endpoint(n));
        assert!(put(1, 5) && !full(1) && put(1, 1) && full(1), "alone it has half");
        assert!(put(2, 2) && full(1) && !full(2) && put(2, 1) && full(2));
        assert!(!full(3) && put(3, 3) && full(3), "{aside:?}");
        assert!(!put(4, 1), "there is no room");
        (0..3).for_each(|_| aside.end(&endpoint(2)));
        assert!(full(1) && !full(2) && put(4, 1) && !full(4), "{aside:?}");
        let aside = Aside::new(12);
        assert!(aside.put(vec![endpoint(1); 12].iter()) && aside.is_full(&endpoint(1)), "as many as ran went aside together");
        assert!(!aside.is_full(&endpoint(2)) && aside.put([endpoint(2)].iter()), "there is room for another's");
        (0..12).for_each(|_| aside.end(&endpoint(1)));
        aside.end(&endpoint(2));
        assert!(aside.is_empty());
    }
}
