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

/// One of the eight accepted ways to write the values of a request before signing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Form {
    /// How booleans are written.
    pub booleans: Booleans,
    /// Whether empty values take part.
    pub empties: Empties,
    /// How objects and lists are written.
    pub nested: Nested,
}

impl Form {
    /// What we sign ourselves: `true`/`false`, empty values left out, plain compact JSON.
    pub const CANONICAL: Form = Form { booleans: Booleans::Words, empties: Empties::Dropped, nested: Nested::Plain };

    /// All eight, the canonical one first.
    pub const ALL: [Form; 8] = {
        let mut all = [Form::CANONICAL; 8];
        let mut i = 1;
        while i < 8 {
            all[i] = Form {
                booleans: if i & 1 == 0 { Booleans::Words } else { Booleans::Digits },
                empties: if i & 2 == 0 { Empties::Dropped } else { Empties::Kept },
                nested: if i & 4 == 0 { Nested::Plain } else { Nested::Escaped },
            };
            i += 1;
        }
        all
    };

    /// The place in [`Form::ALL`], for counters.
    pub fn index(self) -> usize {
        self.booleans as usize | (self.empties as usize) << 1 | (self.nested as usize) << 2
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
        ][self.index()]
    }
}
