#include "crypto/key_share.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "base/sha256.h"
#include "crypto/signature.h"

namespace tpf::crypto {
namespace {

// Douglas Crockford's base 32: without I, L, O and U.
constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr std::size_t kLineChars = 20;   // 100 bits
constexpr std::size_t kCheckChars = 5;   // 24 bits
constexpr std::size_t kDigestBytes = 5;  // with the share's 32: 296 bits in 300
constexpr std::size_t kBodyBytes = kShareSize + kDigestBytes;
constexpr std::size_t kBodyChars = kShareLines * kLineChars;
constexpr std::array<std::string_view, 5> kHead = {"Installation", "Date", "Backup", "Share", "Needed"};

auto bad(std::string what) {
    return fail(Code::field_form, std::move(what), "compare it with the paper, character by character");
}
std::string at_line(unsigned line) {
    return "line " + std::to_string(line) + ": ";
}

/// OpenPGP's CRC-24 (RFC 4880 § 6.1): finds every burst of up to 24 bits, so every error in one character and in two
/// neighbours.
std::uint32_t crc24(std::string_view text) {
    std::uint32_t crc = 0xB704CE;
    for (const char c : text) {
        crc ^= std::uint32_t{static_cast<unsigned char>(c)} << 16;
        for (int bit = 0; bit < 8; ++bit) {
            crc <<= 1;
            if ((crc & 0x1000000) != 0) crc ^= 0x1864CFB;
        }
    }
    return crc & 0xFFFFFF;
}

std::string check_chars(unsigned line, std::string_view chars) {
    const std::uint32_t crc = crc24(std::to_string(line) + std::string(chars));
    std::string out;
    for (int shift = 20; shift >= 0; shift -= 5) out += kAlphabet[crc >> shift & 31];
    return out;
}

/// In the alphabet's own letters; nothing for what is no letter of it.
std::optional<char> canonical(char c) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (c == 'O') return '0';
    if (c == 'I' || c == 'L') return '1';
    if (kAlphabet.find(c) == std::string_view::npos) return std::nullopt;
    return c;
}

/// The 20 characters of a good line.
Result<std::string> line_chars(unsigned line, std::string_view text) {
    std::string chars;
    for (const char c : text) {
        if (c == ' ' || c == '\t' || c == '\r' || c == '-') continue;
        const auto good = canonical(c);
        if (!good) return bad(at_line(line) + "a character that never occurs in a share");
        chars += *good;
    }
    if (chars.size() != kLineChars + kCheckChars) {
        return bad(at_line(line) + std::to_string(chars.size()) + " characters, not " +
                   std::to_string(kLineChars + kCheckChars));
    }
    const std::string check = chars.substr(kLineChars);
    chars.resize(kLineChars);
    if (check_chars(line, chars) != check) return bad(at_line(line) + "a typing error in it, or not this line");
    return chars;
}

std::string groups(std::string_view chars) {
    std::string out;
    for (std::size_t i = 0; i < chars.size(); i += 4) {
        if (i != 0) out += ' ';
        out += chars.substr(i, 4);
    }
    return out;
}

/// Over all that the sheet says: a share cannot be passed off as another one's by a changed head.
std::array<std::uint8_t, kDigestBytes> sheet_digest(const BackupFacts& facts, unsigned number, ByteView value) {
    std::string text = signed_text({"tpf-key-share-1", facts.installation, format_date(facts.date), facts.id,
                                    std::to_string(facts.threshold), std::to_string(facts.shares),
                                    std::to_string(number), as_text(value)});
    const Digest all = sha256(text);
    wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
    std::array<std::uint8_t, kDigestBytes> out{};
    std::copy_n(all.begin(), out.size(), out.begin());
    return out;
}

void encode(ByteView bytes, std::string& out) {
    std::uint32_t held = 0;
    unsigned bits = 0;
    for (const std::uint8_t byte : bytes) {
        held = held << 8 | byte;
        for (bits += 8; bits >= 5; bits -= 5) out += kAlphabet[held >> (bits - 5) & 31];
    }
    if (bits != 0) out += kAlphabet[held << (5 - bits) & 31];
}

/// False when the spare bits at the end are not zero.
bool decode(std::string_view chars, std::span<std::uint8_t> out) {
    std::uint32_t held = 0;
    unsigned bits = 0;
    std::size_t next = 0;
    for (const char c : chars) {
        held = held << 5 | static_cast<std::uint32_t>(kAlphabet.find(c));
        bits += 5;
        if (bits < 8) continue;
        bits -= 8;
        out[next++] = static_cast<std::uint8_t>(held >> bits);
    }
    return (held & ((1U << bits) - 1)) == 0;
}

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kSpace = " \t\r";
    const auto first = text.find_first_not_of(kSpace);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::optional<unsigned> number_of(std::string_view text) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

/// What a sheet holds, as text.
struct Sheet {
    std::array<std::optional<std::string>, kHead.size()> head;
    std::array<std::optional<std::string>, kShareLines> lines;
};

Status take_line(std::string_view line, Sheet& sheet) {
    for (std::size_t i = 0; i < kHead.size(); ++i) {
        if (!line.starts_with(kHead[i]) || line.size() == kHead[i].size() || line[kHead[i].size()] != ':') continue;
        if (sheet.head[i]) return bad("\"" + std::string(kHead[i]) + ":\" is there twice");
        sheet.head[i] = trimmed(line.substr(kHead[i].size() + 1));
        return ok();
    }
    for (unsigned i = 0; i < kShareLines; ++i) {
        if (line.size() < 2 || line[0] != static_cast<char>('1' + i) || (line[1] != ' ' && line[1] != '\t')) continue;
        if (sheet.lines[i]) return bad(at_line(i + 1) + "it is there twice");
        sheet.lines[i] = trimmed(line.substr(1));
    }
    return ok();
}

Result<Sheet> read_sheet(std::string_view text) {
    Sheet sheet;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        TPF_TRY(take_line(trimmed(text.substr(0, end)), sheet));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    for (std::size_t i = 0; i < kHead.size(); ++i) {
        if (!sheet.head[i]) return bad("no line \"" + std::string(kHead[i]) + ":\": is this a share?");
    }
    return sheet;
}

Result<std::string> read_id(std::string text) {
    std::erase(text, ' ');
    if (text.size() != 16 || text.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos)
        return bad("\"Backup:\" is not 16 hex digits");
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c; });
    return text;
}

}  // namespace

Status check_numbers(unsigned threshold, unsigned shares) {
    if (threshold >= 2 && threshold <= shares && shares <= kMaxShares) return ok();
    return fail(Code::usage,
                "a backup has 2 to " + std::to_string(kMaxShares) + " shares, of which 2 or more are needed",
                "--shares 5 --threshold 3");
}

SecretBytes print_share(const KeyShare& share) {
    const BackupFacts& facts = share.facts;
    const ByteView value = share.value.bytes(SecretToken::access());
    SecretBytes body(kBodyBytes);
    const auto out = body.writable(SecretToken::access());
    std::copy(value.begin(), value.end(), out.begin());
    const auto digest = sheet_digest(facts, share.number, value);
    std::copy(digest.begin(), digest.end(), out.begin() + kShareSize);
    std::string chars;
    chars.reserve(kBodyChars);
    encode(out, chars);
    const std::string of = std::to_string(share.number) + " of " + std::to_string(facts.shares);
    std::string sheet;
    sheet.reserve(2048);
    sheet += "TPF key backup, share " + of + "\n\nInstallation: " + facts.installation +
             "\nDate:         " + format_date(facts.date) + "\nBackup:       " + groups(facts.id) +
             "\nShare:        " + of + "\nNeeded:       " + std::to_string(facts.threshold) + "\n\n";
    for (unsigned line = 1; line <= kShareLines; ++line) {
        const auto part = std::string_view(chars).substr((line - 1) * kLineChars, kLineChars);
        sheet += std::to_string(line) + "  ";
        for (std::size_t i = 0; i < part.size(); i += 4) sheet.append(part.substr(i, 4)) += ' ';
        sheet += " " + check_chars(line, part) + "\n";
    }
    sheet += "\nAny " + std::to_string(facts.threshold) + " of the " + std::to_string(facts.shares) +
             " shares open the backup file; fewer, or the file alone, are worth\nnothing. Keep the shares apart from "
             "one another and from the file. The last group of\neach line finds typing errors; I, L, O and U do not "
             "occur.\n";
    SecretBytes printed = SecretBytes::copy_of(as_bytes(sheet));
    wipe({reinterpret_cast<std::uint8_t*>(sheet.data()), sheet.size()});
    wipe({reinterpret_cast<std::uint8_t*>(chars.data()), chars.size()});
    return printed;
}

Status check_share_line(unsigned line, std::string_view text) {
    TPF_TRY(line_chars(line, text));
    return ok();
}

Result<KeyShare> share_of_lines(const BackupFacts& facts, unsigned number,
                                const std::array<std::string, kShareLines>& lines) {
    std::string chars;
    chars.reserve(kBodyChars);
    for (unsigned i = 0; i < kShareLines; ++i) {
        TPF_TRY(const auto part, line_chars(i + 1, lines[i]));
        chars += part;
    }
    SecretBytes body(kBodyBytes);
    const bool clean = decode(chars, body.writable(SecretToken::access()));
    wipe({reinterpret_cast<std::uint8_t*>(chars.data()), chars.size()});
    const ByteView bytes = body.bytes(SecretToken::access());
    const auto digest = sheet_digest(facts, number, bytes.first(kShareSize));
    if (!clean || !std::equal(digest.begin(), digest.end(), bytes.begin() + kShareSize)) {
        return bad(
            "its lines are good each for itself but do not belong to this head: another share's line, or a wrong "
            "installation, date, backup or number");
    }
    return KeyShare{facts, number, SecretBytes::copy_of(bytes.first(kShareSize))};
}

Result<KeyShare> parse_share(std::string_view text) {
    TPF_TRY(auto sheet, read_sheet(text));
    const auto& head = sheet.head;
    BackupFacts facts;
    facts.installation = *head[0];
    const auto date = parse_date(*head[1]);
    if (!date) return bad("\"Date:\" is not YYYY-MM-DD");
    facts.date = date.value();
    TPF_TRY(facts.id, read_id(*head[2]));
    const auto of = head[3]->find(" of ");
    const auto number = of == std::string::npos ? std::nullopt : number_of(std::string_view(*head[3]).substr(0, of));
    const auto shares = of == std::string::npos ? std::nullopt : number_of(std::string_view(*head[3]).substr(of + 4));
    const auto needed = number_of(*head[4]);
    if (!number || !shares || *number == 0 || *number > *shares) return bad("\"Share:\" is not \"2 of 5\"");
    if (!needed || !check_numbers(*needed, *shares)) return bad("\"Needed:\" does not fit");
    facts.shares = *shares;
    facts.threshold = *needed;
    std::array<std::string, kShareLines> lines;
    for (unsigned i = 0; i < kShareLines; ++i) {
        if (!sheet.lines[i]) return bad(at_line(i + 1) + "it is missing");
        lines[i] = std::move(*sheet.lines[i]);
    }
    return share_of_lines(facts, *number, lines);
}

}  // namespace tpf::crypto
