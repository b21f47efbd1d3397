//! The ways in which existing clients turn JSON values into the text they sign.

/// How a boolean parameter is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Booleans {
    /// `true` and `false`, as the published Java sample writes them.
    #[default]
    Words,
    /// `1` and `0`, as PHP's `http_build_query` writes them. It drops `null` and `[]` and keeps `""`, so with this
    /// [`Empties::Dropped`] means just those.
    Digits,
}

/// What becomes of `null`, `""`, `[]` and `{}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Empties {
    /// Left out: the published rule says "non-empty parameters". `""` is kept where booleans are [`Booleans::Digits`].
    #[default]
    Dropped,
    /// Kept as `null`, nothing, `[]` and `{}`: the published Java sample leaves nothing out.
    Kept,
}

/// How an object or a list is written. Always compact, in the order sent, numbers as sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Nested {
    /// Only what JSON demands is escaped.
    #[default]
    Plain,
    /// `/` as `\/` and everything beyond ASCII as `\uXXXX` in lower case: PHP's `json_encode`.
    Escaped,
}

/// In which order parameters are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Order {
    /// By name, as the published rule says.
    #[default]
    Names,
    /// By `name=value`, as the published Java sample sorts: `a1=2` before `a=1`, as `1` comes before `=`.
    Pairs,
}

/// One of the ten accepted ways to write the parameters of a request before signing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Form {
    /// How booleans are written.
    pub booleans: Booleans,
    /// Whether empty values take part.
    pub empties: Empties,
    /// How objects and lists are written.
    pub nested: Nested,
    /// In which order.
    pub order: Order,
}

impl Form {
    /// What we sign ourselves: `true`/`false`, empty values left out, plain compact JSON, by name.
    pub const CANONICAL: Form =
        Form { booleans: Booleans::Words, empties: Empties::Dropped, nested: Nested::Plain, order: Order::Names };

    /// All ten, the canonical one first: every way to write values, by name; and by pairs as the Java sample writes them, with empty ones
    /// left out or kept.
    pub const ALL: [Form; 10] = {
        let mut all = [Form::CANONICAL; 10];
        let mut i = 1;
        while i < 8 {
            all[i] = Form {
                booleans: if i & 1 == 0 { Booleans::Words } else { Booleans::Digits },
                empties: if i & 2 == 0 { Empties::Dropped } else { Empties::Kept },
                nested: if i & 4 == 0 { Nested::Plain } else { Nested::Escaped },
                order: Order::Names,
            };
            i += 1;
        }
        all[8] = Form { order: Order::Pairs, ..Form::CANONICAL };
        all[9] = Form { empties: Empties::Kept, ..all[8] };
        all
    };

    /// The place in [`Form::ALL`], for counters.
    pub fn index(self) -> usize {
        match self.order {
            Order::Names => self.booleans as usize | (self.empties as usize) << 1 | (self.nested as usize) << 2,
            Order::Pairs => 8 + self.empties as usize,
        }
    }

    /// A fixed name, for metrics and logs.
    pub fn label(self) -> &'static str {
        [
            "words/dropped/plain",
            "digits/dropped/plain",
            "words/kept/plain",
            "digits/kept/plain",
            "words/dropped/escaped",
            "digits/dropped/escaped",
            "words/kept/escaped",
            "digits/kept/escaped",
            "words/dropped/plain/pairs",
            "words/kept/plain/pairs",
        ][self.index()]
    }
}
