//! The published result codes with their Chinese and English texts.

/// The language of a `message`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    /// Simplified Chinese.
    Zh,
    /// English.
    En,
}

/// One published result code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// The number; most operations write it as a JSON string, some as an integer.
    pub code: u32,
    /// The text of the Chinese column, a few of which are in English.
    pub zh: &'static str,
    /// The English text.
    pub en: &'static str,
}

/// The text of a code. `None`: not a published code.
pub fn message(code: u32, language: Language) -> Option<&'static str> {
    let row = &TABLE[TABLE.binary_search_by_key(&code, |row| row.code).ok()?];
    Some(if language == Language::Zh { row.zh } else { row.en })
}

/// The only success there is: existing clients take any other number for a failure.
pub const SUCCESS: u32 = 200;
/// The caller may not do this.
pub const FORBIDDEN: u32 = 403;
/// The act failed and may be tried again.
pub const FAILED: u32 = 500;
/// Over the rate limit.
pub const TOO_MANY_REQUESTS: u32 = 501;
/// The ICCID is empty or malformed.
pub const ICCID_MALFORMED: u32 = 41003;
/// `outTradeNo` is empty, malformed or longer than 32 characters.
pub const OUT_TRADE_NO_MALFORMED: u32 = 42001;
/// This account has used the `outTradeNo` before.
pub const OUT_TRADE_NO_EXISTS: u32 = 42002;
/// `orderId` is empty or malformed.
pub const ORDER_ID_MALFORMED: u32 = 42003;
/// No such order of this account.
pub const ORDER_UNKNOWN: u32 = 42004;
/// No such package.
pub const PACKAGE_UNKNOWN: u32 = 42007;
/// The package is in a state that cannot be refunded.
pub const NOT_REFUNDABLE: u32 = 42008;
/// `appkey` is missing or empty.
pub const APPKEY_EMPTY: u32 = 42101;
/// No such `appkey`.
pub const APPKEY_UNKNOWN: u32 = 42102;
/// The caller's address is not on its allow-list.
pub const IP_NOT_ALLOWED: u32 = 42104;
/// `timestamp` is missing or empty.
pub const TIMESTAMP_EMPTY: u32 = 42201;
/// `timestamp` is too far from the server's time.
pub const TIMESTAMP_STALE: u32 = 42203;
/// `timestamp` is not a whole number.
pub const TIMESTAMP_MALFORMED: u32 = 42204;
/// `nonce` is missing or empty.
pub const NONCE_EMPTY: u32 = 42301;
/// `sign` is missing or empty.
pub const SIGN_EMPTY: u32 = 42401;
/// `sign` fits none of the accepted forms.
pub const SIGN_WRONG: u32 = 42402;
/// No such card of this account; a card of another account answers the same.
pub const CARD_UNKNOWN: u32 = 42405;
/// A parameter is wrong and no code says it better.
pub const PARAMETER_WRONG: u32 = 43332;
/// The balance does not cover the price.
pub const BALANCE_INSUFFICIENT: u32 = 45112;

/// Every published code, by number.
#[rustfmt::skip]
pub static TABLE: &[Code] = &[
    Code { code: 200, zh: "成功", en: "Success" },
    Code { code: 403, zh: "您没有权限访问", en: "You don't have permission to access." },
    Code { code: 500, zh: "操作失败,请稍后再试", en: "Operation failed, try again later." },
    Code { code: 501, zh: "请求太频繁", en: "Too many requests." },
    Code { code: 502, zh: "IP白名单错误", en: "IP whitelist error." },
    Code { code: 41001, zh: "iccids参数错误", en: "Invalid iccids parameter." },
    Code { code: 41002, zh: "iccid格式不正确", en: "Invalid iccid format." },
    Code { code: 41003, zh: "iccid为空,或者iccid格式错误", en: "Iccid is empty or format is wrong." },
    Code { code: 41004, zh: "startDate参数错误", en: "Invalid startDate parameter." },
    Code { code: 41005, zh: "endDate参数错误", en: "Invalid endDate parameter." },
    Code { code: 41006, zh: "日期参数错误", en: "Invalid date parameter." },
    Code { code: 41007, zh: "批量卡号超过限制", en: "Batch card numbers exceed limit." },
    Code { code: 41008, zh: "卡号与运营商不匹配", en: "Card number doesn't match operator." },
    Code { code: 41009, zh: "startYearMonth参数错误", en: "Invalid startYearMonth parameter." },
    Code { code: 41010, zh: "endYearMonth参数错误", en: "Invalid endYearMonth parameter." },
    Code { code: 41011, zh: "phone为空", en: "Phone number is empty." },
    Code { code: 41012, zh: "code为空", en: "Code is empty." },
    Code { code: 41013, zh: "imsi为空,或者imsi格式错误", en: "Imsi is empty or format is wrong." },
    Code { code: 41014, zh: "network为空,或者network错误", en: "Network param is empty or wrong." },
    Code { code: 41015, zh: "imei为空,或者imei格式错误", en: "Imei is empty or format is wrong." },
    Code { code: 41018, zh: "订购套餐编码错误", en: "Invalid package code for order." },
    Code { code: 41019, zh: "套餐生效类型为空或异常", en: "Package activation type is empty or abnormal." },
    Code { code: 41020, zh: "运营商类型operator为空或者operator异常", en: "Operator type param is empty or abnormal." },
    Code { code: 41028, zh: "该卡无此套餐", en: "Card has no such package." },
    Code { code: 41029, zh: "套餐生效类型参数错误", en: "Invalid package activation type param." },
    Code { code: 41030, zh: "验证sign时,用户名不存在,请联系接入方技术人员", en: "Username not found when verifying sign, contact tech support." },
    Code { code: 41031, zh: "您不存在该套餐", en: "You don't have this package." },
    Code { code: 41032, zh: "该运营商暂不支持", en: "This operator is not supported currently." },
    Code { code: 41033, zh: "请实名后再试", en: "Please complete real - name verification first." },
    Code { code: 41034, zh: "通讯录已存在该号码", en: "Phone number already exists in address book." },
    Code { code: 41035, zh: "已通过API配置达到10个,请前往公众号配置", en: "Reached API config limit of 10, configure in official account." },
    Code { code: 41036, zh: "下单异常", en: "Ordering is abnormal." },
    Code { code: 41037, zh: "该卡未订购月套餐", en: "Card has no monthly package." },
    Code { code: 41040, zh: "email为空,或者email格式错误", en: "Email is empty or format is wrong." },
    Code { code: 41041, zh: "url为空,或者url格式错误", en: "Url is empty or format is wrong." },
    Code { code: 41050, zh: "订购的套餐产品属性与卡不一致", en: "Package product attributes don't match card." },
    Code { code: 41102, zh: "操作类型错误,1为激活,2为停用", en: "Invalid operation type (1: activate, 2: deactivate)." },
    Code { code: 41103, zh: "激活失败", en: "Activation failed." },
    Code { code: 41104, zh: "停用失败", en: "Deactivation failed." },
    Code { code: 41998, zh: "API信息归属客户异常,请联系接入方技术人员", en: "API customer info is abnormal, contact tech support." },
    Code { code: 42000, zh: "短信内容为空或者超出最大内容限制", en: "SMS content is empty or exceeds limit." },
    Code { code: 42001, zh: "outTradeNo为空或者格式不正确,最大支持32位", en: "outTradeNo is empty or format is wrong (max 32 digits)." },
    Code { code: 42002, zh: "outTradeNo已存在", en: "outTradeNo already exists." },
    Code { code: 42003, zh: "orderId为空或者格式不正确", en: "OrderId is empty or format is wrong." },
    Code { code: 42004, zh: "订单不存在", en: "Order does not exist." },
    Code { code: 42005, zh: "该支付方式不支持操作", en: "This payment method is not supported." },
    Code { code: 42006, zh: "订单状态异常", en: "Order status is abnormal." },
    Code { code: 42007, zh: "套餐不存在", en: "Package does not exist." },
    Code { code: 42008, zh: "套餐状态不可退款", en: "Package status does not allow refund." },
    Code { code: 42009, zh: "最大支持查询50张", en: "Max 50 items can be queried." },
    Code { code: 42022, zh: "套餐id不能为空", en: "Package ID cannot be empty." },
    Code { code: 42101, zh: "appkey为空", en: "Appkey is empty." },
    Code { code: 42102, zh: "appkey不存在", en: "Appkey does not exist." },
    Code { code: 42104, zh: "ip:未授权,请配置正确的ip白名单", en: "ip: is not authorized, configure ip whitelist." },
    Code { code: 42201, zh: "时间戳为空", en: "Timestamp is empty." },
    Code { code: 42203, zh: "时间戳时间不准确", en: "Timestamp is inaccurate." },
    Code { code: 42204, zh: "时间格式异常", en: "Invalid time format." },
    Code { code: 42301, zh: "nonce为空", en: "Nonce is empty." },
    Code { code: 42401, zh: "签名串为空", en: "Signature string is empty." },
    Code { code: 42402, zh: "签名串无效,请确保加密方式正确", en: "Invalid signature, check encryption method." },
    Code { code: 42403, zh: "pageNum为空或者格式错误", en: "PageNum is empty or format is wrong." },
    Code { code: 42404, zh: "卡池编号错误", en: "Invalid card pool number." },
    Code { code: 42405, zh: "当前帐户无此 iccid 卡号", en: "Account has no such iccid card." },
    Code { code: 42406, zh: "用户无可用套餐 iccid 卡号", en: "User has no available packages for iccid." },
    Code { code: 42407, zh: "pageSize值异常", en: "Invalid pageSize value." },
    Code { code: 42408, zh: "当前帐户无此IMEI池", en: "Account has no such IMEI pool." },
    Code { code: 42409, zh: "时间格式异常", en: "Invalid time format." },
    Code { code: 43331, zh: "服务器异常", en: "Server exception." },
    Code { code: 43332, zh: "参数错误", en: "Parameter error." },
    Code { code: 43333, zh: "缺少错误提示", en: "Missing error hint." },
    Code { code: 44001, zh: "操作频繁,五分钟只能刷新一次", en: "Operation too frequent, refresh once every 5 mins." },
    Code { code: 44002, zh: "刷新失败", en: "Refresh failed." },
    Code { code: 45101, zh: "短信参数有误", en: "Invalid SMS parameters." },
    Code { code: 45102, zh: "卡片解锁频繁", en: "Too frequent card unlocking." },
    Code { code: 45103, zh: "卡片解锁超过限制次数", en: "Exceeded card unlocking limit." },
    Code { code: 45104, zh: "卡片无需解锁", en: "Card doesn't need unlocking." },
    Code { code: 45105, zh: "卡片状态无法切换网络", en: "Card status doesn't allow network switching." },
    Code { code: 45106, zh: "remark不允许为空", en: "Remark cannot be empty." },
    Code { code: 45107, zh: "不支持切换到当前网络", en: "Switching to this network is not supported." },
    Code { code: 45108, zh: "card product not found", en: "Card product not found." },
    Code { code: 45109, zh: "eSIM product not found", en: "eSIM product not found." },
    Code { code: 45110, zh: "eSIM out of stock", en: "eSIM out of stock." },
    Code { code: 45111, zh: "eSIM order not found", en: "eSIM order not found." },
    Code { code: 45112, zh: "balance insufficient", en: "Insufficient balance." },
    Code { code: 45113, zh: "not allow to refund at current status", en: "Refund not allowed at current status." },
    Code { code: 50001, zh: "package配置异常", en: "Package configuration is abnormal." },
    Code { code: 503016, zh: "重复订单号", en: "Duplicate order number." },
    Code { code: 900910, zh: "无操作权限", en: "No operation permission." },
    Code { code: 900911, zh: "卡片不存在", en: "Card not found." },
];
