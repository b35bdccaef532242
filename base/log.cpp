#include "base/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>

#include "base/journal_socket.h"

namespace tpf::log {
namespace {

std::shared_ptr<spdlog::logger>& logger() {
    static std::shared_ptr<spdlog::logger> instance;
    return instance;
}
std::unique_ptr<const JournalSocket>& journal() {
    static std::unique_ptr<const JournalSocket> instance;
    return instance;
}
std::atomic<bool> test_installation{false};

spdlog::level::level_enum level_of(Level level) {
    switch (level) {
        case Level::debug:
            return spdlog::level::debug;
        case Level::info:
            return spdlog::level::info;
        case Level::warning:
            return spdlog::level::warn;
        case Level::error:
            return spdlog::level::err;
    }
    return spdlog::level::err;
}

/// As syslog numbers them.
const char* priority_of(Level level) {
    switch (level) {
        case Level::debug:
            return "7";
        case Level::info:
            return "6";
        case Level::warning:
            return "4";
        case Level::error:
            return "3";
    }
    return "3";
}

std::string journal_name(std::string_view name) {
    std::string out = "TPF_";
    for (const char c : name) out += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : '_';
    return out;
}

bool to_journal(Level level, const std::string& line, std::initializer_list<Field> fields) {
    JournalSocket::Fields out = {
        {"MESSAGE", line}, {"PRIORITY", priority_of(level)}, {"SYSLOG_IDENTIFIER", logger()->name()}};
    for (const Field& field : fields) {
        out.emplace_back(journal_name(field.name), field.value);
        // KKKK-BB-OOOOOOOOO
        if (field.name == "sender" && field.value.size() > 4) out.emplace_back("TPF_KOMMUNE", field.value.substr(0, 4));
    }
    return journal()->send(out);
}

/// Values stand in quotes when they hold more than a word, with quotes and control characters made visible: a value
/// can never look like a line or a field of its own.
void append_value(std::string& line, std::string_view value) {
    const bool plain = !value.empty() && value.find_first_of(" \"=\\") == std::string_view::npos;
    if (!plain) line += '"';
    for (const char c : value) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
            line += '?';
        } else {
            if (c == '"' || c == '\\') line += '\\';
            line += c;
        }
    }
    if (!plain) line += '"';
}

}  // namespace

void init(std::string_view program, Level least) {
    logger() =
        std::make_shared<spdlog::logger>(std::string(program), std::make_shared<spdlog::sinks::stderr_sink_mt>());
    auto formatter = std::make_unique<spdlog::pattern_formatter>("%Y-%m-%dT%H:%M:%S.%eZ %l %n[%P]: %v",
                                                                 spdlog::pattern_time_type::utc);
    logger()->set_formatter(std::move(formatter));
    logger()->set_level(level_of(least));
    logger()->flush_on(spdlog::level::debug);
    if (JournalSocket::is_ours()) use_journal(JournalSocket::kPath);
}

void use_journal(std::string_view socket) {
    journal() = std::make_unique<const JournalSocket>(socket);
}

void set_installation(Installation installation) {
    test_installation = installation == Installation::test;
}

void set_level(Level least) {
    if (logger()) logger()->set_level(level_of(least));
}

Result<Level> parse_level(std::string_view text) {
    if (text == "debug") return Level::debug;
    if (text == "info") return Level::info;
    if (text == "warning") return Level::warning;
    if (text == "error") return Level::error;
    return fail(Code::config, "log level is none of debug, info, warning, error");
}

void write(Level level, std::string_view text, std::initializer_list<Field> fields) {
    if (!logger() || !logger()->should_log(level_of(level))) return;
    std::string line;
    if (test_installation) line += "TEST INSTALLATION ";
    line += text;
    for (const Field& field : fields) {
        line += ' ';
        line += field.name;
        line += '=';
        append_value(line, field.value);
    }
    if (journal() && to_journal(level, line, fields)) return;
    logger()->log(level_of(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace tpf::log
