//! The published result codes with their texts.

/// Success.
pub const SUCCESS: u32 = 0;
/// The account is switched off.
pub const ACCOUNT_DISABLED: u32 = 1001;
/// More than [`SMS_CHARS_MAX`] characters.
pub const SMS_TOO_LONG: u32 = 1002;
/// More numbers than one message may go to.
pub const NUMBERS_TOO_MANY: u32 = 1003;
/// GET where POST is meant, or the other way round.
pub const METHOD_WRONG: u32 = 1004;
/// Unknown sid, wrong signature, stale timestamp, or a signature that came with another body before.
pub const AUTHENTICATION_FAILED: u32 = 1005;
/// The caller's address is not on its allow-list.
pub const IP_NOT_ALLOWED: u32 = 1006;
/// The balance does not cover the price.
pub const BALANCE_SHORT: u32 = 1007;
/// A malformed number.
pub const NUMBER_WRONG: u32 = 1008;
/// A required parameter is missing.
pub const PARAMETER_MISSING: u32 = 1012;
/// A malformed date.
pub const DATE_WRONG: u32 = 1024;
/// Over the rate limit.
pub const TOO_MANY_REQUESTS: u32 = 1030;
/// A wrong value.
pub const VALUE_WRONG: u32 = 1031;
/// No data: no such card of this account; a stranger's card answers the same.
pub const NO_DATA: u32 = 1032;
/// An encrypted message does not decrypt.
pub const DECRYPTION_FAILED: u32 = 1040;
/// An encrypted message that decrypts and has no number or no content, or not the form of the two.
pub const DECRYPTED_EMPTY: u32 = 1041;
/// An encrypted message that is no Base64.
pub const CIPHER_TEXT_WRONG: u32 = 1042;
/// The renewal cannot be placed.
pub const RENEWAL_FAILED: u32 = 1080;
/// Ours.
pub const INTERNAL: u32 = 1090;
/// The operation is out of use.
pub const RETIRED: u32 = 1098;
/// The carrier's refusal; its own code is in `detail`.
pub const CARRIER_ERROR: u32 = 1099;

/// Characters of one message.
pub const SMS_CHARS_MAX: usize = 350;

/// The text of a published code; none for any other.
pub fn message(code: u32) -> Option<&'static str> {
    TABLE.binary_search_by_key(&code, |row| row.0).ok().map(|i| TABLE[i].1)
}

/// Every published code with its text, by number.
pub static TABLE: &[(u32, &str)] = &[
    (0, "成功"),
    (1001, "账号被禁用"),
    (1002, "短信字数过长"),
    (1003, "单次发送号码过多"),
    (1004, "Http 请求方式错误"),
    (1005, "账号鉴权失败"),
    (1006, "IP 鉴权失败"),
    (1007, "余额不足"),
    (1008, "号码无效"),
    (1009, "号码黑名单"),
    (1010, "签名无效"),
    (1011, "签名格式错误"),
    (1012, "请求参数缺失"),
    (1013, "内容包含敏感词"),
    (1016, "存在多个签名"),
    (1018, "找不到通道"),
    (1021, "同一个手机号码在单位时间内超过发送次数"),
    (1024, "日期格式错误"),
    (1025, "全局 IP 黑名单"),
    (1026, "全局签名黑名单"),
    (1027, "单次提交最小限制错误"),
    (1028, "超过模板最大数量"),
    (1029, "模板内容字数过长"),
    (1030, "超过 ip 最大请求速度"),
    (1031, "参数值错误"),
    (1032, "数据为空"),
    (1033, "Ops 服务不存在或停用"),
    (1034, "计费错误"),
    (1040, "短信解密错误"),
    (1041, "解密后号码或内容为空"),
    (1042, "密文错误"),
    (1050, "类型格式错误"),
    (1080, "套餐续费失败"),
    (1090, "系统内部错误"),
    (1091, "系统内部错误"),
    (1092, "系统内部错误"),
    (1098, "API 停用"),
    (1099, "上级错误"),
];
