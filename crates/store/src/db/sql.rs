//! A statement as text with `?` marks, run by Diesel on either engine and kept prepared by its text.
//!
//! Why text: upserts, locks, claims and bulk statements have no typed form that serves both engines, and one
//! way of writing statements is easier to read than two. Values are always bound, never pasted; the only text put
//! together at run time are repeated `(?, ?)` groups and lists of integers.

use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::query_dsl::LoadQuery;
use diesel::sql_types::{Array, BigInt, Binary, Nullable, SingleValue, Text};
use diesel::sqlite::Sqlite;
use diesel::{PgConnection, QueryResult, RunQueryDsl, SqliteConnection};
use std::marker::PhantomData;

/// A value to bind.
#[derive(Debug, Clone)]
pub enum Value<'a> {
    /// A 64-bit integer or null.
    Int(Option<i64>),
    /// Text or null.
    Text(Option<&'a str>),
    /// Text made for the statement.
    Owned(String),
    /// Bytes or null.
    Blob(Option<&'a [u8]>),
    /// A list of integers, for statements of PostgreSQL alone: it travels in binary, so nobody writes or reads digits.
    Ints(Vec<Option<i64>>),
    /// A list of bytes, likewise.
    Blobs(Vec<&'a [u8]>),
}

macro_rules! into_value {
    ($($from:ty => |$x:ident| $make:expr;)+) => {
        $(impl<'a> From<$from> for Value<'a> { fn from($x: $from) -> Value<'a> { $make } })+
    };
}
into_value! {
    i64 => |x| Value::Int(Some(x));
    Option<i64> => |x| Value::Int(x);
    bool => |x| Value::Int(Some(i64::from(x)));
    &'a str => |x| Value::Text(Some(x));
    &'a String => |x| Value::Text(Some(x));
    Option<&'a str> => |x| Value::Text(x);
    String => |x| Value::Owned(x);
    &'a [u8] => |x| Value::Blob(Some(x));
    &'a Vec<u8> => |x| Value::Blob(Some(x));
    Option<&'a [u8]> => |x| Value::Blob(x);
}

/// Values for the `?` marks of a statement, in order.
#[macro_export]
macro_rules! binds {
    ($($value:expr),* $(,)?) => { [$($crate::db::sql::Value::from($value)),*] };
}

/// A statement with its values; `S` is the row it yields.
#[derive(Debug)]
pub struct Statement<'a, S> {
    text: &'a str,
    values: &'a [Value<'a>],
    keep: bool,
    row: PhantomData<S>,
}

impl<'a, S> Statement<'a, S> {
    pub(crate) fn new(text: &'a str, values: &'a [Value<'a>], keep: bool) -> Self {
        Statement { text, values, keep, row: PhantomData }
    }
}

impl<S> QueryId for Statement<'_, S> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<S> Query for Statement<'_, S> {
    type SqlType = S;
}

impl<S, C> RunQueryDsl<C> for Statement<'_, S> {}

macro_rules! fragment {
    ($backend:ty, $out:ident, $lists:ident { $($list:tt)+ }) => {
        impl<S> QueryFragment<$backend> for Statement<'_, S> {
            fn walk_ast<'b>(&'b self, mut $out: AstPass<'_, 'b, $backend>) -> QueryResult<()> {
                if !self.keep {
                    $out.unsafe_to_cache_prepared();
                }
                let mut values = self.values.iter();
                for (i, piece) in self.text.split('?').enumerate() {
                    if i > 0 {
                        match values.next().expect("a value for each mark") {
                            Value::Int(v) => $out.push_bind_param::<Nullable<BigInt>, _>(v)?,
                            Value::Text(v) => $out.push_bind_param::<Nullable<Text>, _>(v)?,
                            Value::Owned(v) => $out.push_bind_param::<Text, _>(v)?,
                            Value::Blob(v) => $out.push_bind_param::<Nullable<Binary>, _>(v)?,
                            $lists => { $($list)+ }
                        }
                    }
                    $out.push_sql(piece);
                }
                debug_assert!(values.next().is_none(), "a mark for each value: {}", self.text);
                Ok(())
            }
        }
    };
}
fragment!(Sqlite, out, _lists {
    return Err(diesel::result::Error::QueryBuilderError("SQLite takes no lists".into()));
});
fragment!(Pg, out, lists {
    match lists {
        Value::Ints(v) => out.push_bind_param::<Array<Nullable<BigInt>>, _>(v)?,
        Value::Blobs(v) => out.push_bind_param::<Array<Binary>, _>(v)?,
        _ => {}
    }
});

/// A Rust type that is one column.
pub trait Column {
    /// Its SQL type.
    type Sql: SingleValue;
}
impl Column for i64 {
    type Sql = BigInt;
}
impl Column for String {
    type Sql = Text;
}
impl Column for Vec<u8> {
    type Sql = Binary;
}
impl Column for Option<i64> {
    type Sql = Nullable<BigInt>;
}
impl Column for Option<String> {
    type Sql = Nullable<Text>;
}
impl Column for Option<Vec<u8>> {
    type Sql = Nullable<Binary>;
}

/// A tuple of columns, readable on both engines.
pub trait Row: Sized {
    /// Runs the statement on SQLite.
    fn from_sqlite(text: &str, values: &[Value<'_>], keep: bool, conn: &mut SqliteConnection) -> QueryResult<Vec<Self>>;
    /// Runs the statement on PostgreSQL.
    fn from_postgres(text: &str, values: &[Value<'_>], keep: bool, conn: &mut PgConnection) -> QueryResult<Vec<Self>>;
}

macro_rules! row {
    ($($name:ident),+) => {
        impl<$($name: Column),+> Row for ($($name,)+)
        where
            for<'q> Statement<'q, ($($name::Sql,)+)>:
                LoadQuery<'q, SqliteConnection, ($($name,)+)> + LoadQuery<'q, PgConnection, ($($name,)+)>,
        {
            fn from_sqlite(text: &str, values: &[Value<'_>], keep: bool, conn: &mut SqliteConnection) -> QueryResult<Vec<Self>> {
                Statement::<($($name::Sql,)+)>::new(text, values, keep).load(conn)
            }
            fn from_postgres(text: &str, values: &[Value<'_>], keep: bool, conn: &mut PgConnection) -> QueryResult<Vec<Self>> {
                Statement::<($($name::Sql,)+)>::new(text, values, keep).load(conn)
            }
        }
    };
}
row!(A);
row!(A, B);
row!(A, B, C);
row!(A, B, C, D);
row!(A, B, C, D, E);
row!(A, B, C, D, E, F);
row!(A, B, C, D, E, F, G);
row!(A, B, C, D, E, F, G, H);
row!(A, B, C, D, E, F, G, H, I);
row!(A, B, C, D, E, F, G, H, I, J);
row!(A, B, C, D, E, F, G, H, I, J, K);
row!(A, B, C, D, E, F, G, H, I, J, K, L);
row!(A, B, C, D, E, F, G, H, I, J, K, L, M);
row!(A, B, C, D, E, F, G, H, I, J, K, L, M, N);
row!(A, B, C, D, E, F, G, H, I, J, K, L, M, N, O);
row!(A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P);
row!(A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P, Q);
row!(A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P, Q, R);
row!(A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P, Q, R, S);
row!(A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P, Q, R, S, T);
row!(A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P, Q, R, S, T, U);
row!(A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P, Q, R, S, T, U, V);
row!(A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P, Q, R, S, T, U, V, W);
row!(A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P, Q, R, S, T, U, V, W, X);
row!(A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P, Q, R, S, T, U, V, W, X, Y);
row!(A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P, Q, R, S, T, U, V, W, X, Y, Z);
