//! The operations: where each is called, and the values that its signature covers.

/// How an operation is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Everything in the query.
    Get,
    /// Everything in a form.
    Post,
}

/// Which of the two listeners serves an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// What the platform knows (9011).
    Data,
    /// What is passed straight to the carrier (8111).
    Direct,
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident = $method:ident $port:ident $path:literal [$($signed:literal)*],)+) => {
        /// One operation of the API.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Operation { $($(#[$doc])* $name),+ }
        impl Operation {
            /// All of them.
            pub const ALL: &'static [Operation] = &[$(Operation::$name),+];
            /// The path below `/iotapi/rest/v2/`.
            pub fn path(self) -> &'static str { match self { $(Operation::$name => $path),+ } }
            /// How it is called.
            pub fn method(self) -> Method { match self { $(Operation::$name => Method::$method),+ } }
            /// Where it is served.
            pub fn port(self) -> Port { match self { $(Operation::$name => Port::$port),+ } }
            /// The parameters whose values are signed after `sid`, `apikey` and `ts`, in that order.
            pub fn signed(self) -> &'static [&'static str] { match self { $(Operation::$name => &[$($signed),*]),+ } }
        }
    };
}

operations! {
    /// The account itself.
    CustomerGet = Get Data "customer/get" [],
    /// The account's cards, page by page.
    CardList = Get Data "card/list" ["pageindex"],
    /// Cards in detail.
    CardDetail = Get Data "card/detail" ["msisdns" "iccids"],
    /// What cards used this month.
    UsageCurrent = Get Data "card/usage/current" ["msisdns" "iccids"],
    /// What cards used in a past month.
    UsagePast = Get Data "card/usage/past" ["month" "showday" "msisdns" "iccids"],
    /// Cards that owe their carrier money; marked out of use.
    CardAbnormal = Get Data "card/abnormal" ["pageindex"],
    /// The packages of a card.
    PkgGet = Get Data "card/pkg/get" ["msisdn" "iccid"],
    /// What cards used on a day; marked out of use.
    UsageDay = Get Data "card/usage/day" ["day" "msisdns" "iccids"],
    /// The account's pools.
    PoolList = Get Data "pool/list" [],
    /// Buys a package for a card.
    PkgRenew = Post Data "card/pkg/renew" ["msisdn" "iccid" "pkgcode" "month"],
    /// Ends a card's test period.
    StopTest = Post Direct "card/stoptest" ["msisdn" "iccid"],
    /// Activates a card.
    ForActive = Post Direct "card/foractive" ["msisdn" "iccid"],
    /// Stops a card, or lets it go on.
    StopKeep = Post Direct "card/stopkeep" ["msisdn" "iccid" "stopkeep"],
    /// Switches a card's data off or on.
    SwitchNet = Post Direct "card/switchnet" ["msisdn" "iccid" "apnname" "opertype" "marginrat"],
    /// The numbers that a card may speak with.
    VoiceWhitelist = Post Direct "card/setvoicewhitetable" ["msisdn" "iccid" "opertype" "taskid" "content"],
    /// A message to cards.
    SmsIot = Post Data "sms/sendlotsms" ["mobile" "content"],
    /// A message to cards that comes encrypted.
    SmsIotEncrypted = Post Data "sms/sendiotencryptsms" ["text"],
    /// What became of messages.
    SmsReport = Get Data "sms/rpt/get" [],
    /// What cards and people answered.
    SmsMo = Get Data "sms/mo/get" [],
    /// A message to people, by template.
    SmsPhone = Post Data "sms/sendsms" ["mobile" "tplid"],
}

impl Operation {
    /// Every path it is served under: the source misprints one, and clients may have corrected it.
    pub fn paths(self) -> Vec<&'static str> {
        match self {
            Operation::SmsIot => vec![self.path(), "sms/sendiotsms"],
            _ => vec![self.path()],
        }
    }

    /// The operation at a path.
    pub fn find(path: &str) -> Option<Operation> {
        Operation::ALL.iter().copied().find(|o| o.paths().contains(&path))
    }

    /// Whether the source marks it as out of use.
    pub fn is_retired(self) -> bool {
        matches!(self, Operation::CardAbnormal | Operation::UsageDay)
    }
}
