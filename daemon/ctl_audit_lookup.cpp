#include "daemon/ctl_audit_lookup.h"

#include <termios.h>
#include <unistd.h>

#include <iostream>
#include <sstream>

#include "daemon/ctl_passphrase.h"
#include "daemon/ctl_print.h"
#include "daemon/ctl_progress.h"
#include "daemon/process.h"

namespace tpf::daemon {
namespace {

/// A line of standard input, not shown while it is typed. Empty: there was none.
std::string typed_line(const char* prompt) {
    const bool terminal = ::isatty(STDIN_FILENO) != 0;
    termios before{};
    const bool hidden = terminal && ::tcgetattr(STDIN_FILENO, &before) == 0;
    if (hidden) {
        std::cerr << prompt << std::flush;
        termios silent = before;
        silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    }
    std::string line;
    std::getline(std::cin, line);
    if (hidden) {
        ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        std::cerr << "\n";
    }
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    return line;
}

int ask_with_line(Ctl& ctl, std::string_view command, const char* name, const char* prompt) {
    protect_secrets();
    if (!ctl.args.contains(name)) {
        std::string line = typed_line(prompt);
        if (line.empty()) return show_error(ctl, Error(Code::usage, "nothing was given on standard input"));
        ctl.args[name] = line;
        forget(line);
    }
    const int status = plain(ctl, command, print_plain);
    forget(ctl.args[name].get_ref<std::string&>());
    return status;
}

std::string print_requests(const Json& result) {
    std::ostringstream out;
    for (const Json& one : result["requests"]) out << print_plain(one) << "\n";
    if (result["requests"].empty()) out << "no request waits\n";
    return out.str();
}

std::string word(const Json& json, const char* name) {
    return json.value(name, std::string("-"));
}

std::string print_answer(const Json& result) {
    std::ostringstream out;
    const Json& messages = result["messages"];
    for (const Json& one : messages) {
        out << word(one, "received") << "  " << word(one, "id") << "  from " << word(one, "from") << "  to "
            << word(one, "register") << "  " << word(one, "state") << "  receipt " << word(one, "receipt") << "\n";
    }
    out << messages.size() << " messages, by the log's first " << result["entries"].dump() << " entries\n";
    for (const auto& [reg, count] : result["not_recorded"].items())
        out << "not recorded: " << count.dump() << " messages to " << reg << "\n";
    if (result["deleted_lists"] != 0)
        out << "deleted: the lists of " << result["deleted_lists"].dump() << " messages\n";
    if (result["unreadable_lists"] != 0)
        out << "WRONG: " << result["unreadable_lists"].dump()
            << " lists are missing or damaged, `tpfctl audit verify` says which\n";
    for (const Json& one : result["looked_before"]) {
        out << (one.value("uncertain", false) ? "looked before, perhaps at somebody else (the record is damaged): "
                                              : "looked before: ")
            << word(one, "at") << "  " << word(one, "operator") << ", approved by " << word(one, "approved_by") << "  "
            << word(one, "command") << "  " << word(one, "reason") << "\n";
    }
    if (result["looked_before"].empty()) out << "nobody has looked before\n";
    return out.str();
}

int show_answer(Ctl& ctl) {
    const ShowProgress progress = progress_line();
    ctl.args["progress"] = static_cast<bool>(progress);
    const auto socket = socket_path(ctl);
    if (!socket) return show_error(ctl, socket.error());
    const auto answer = ask_core(socket.value(), "audit answer", ctl.args, std::nullopt, progress);
    end_progress_line();
    if (!answer) return show_error(ctl, answer.error());
    show(ctl, answer.value(), print_answer);
    return 0;
}

}  // namespace

void add_lookups(CLI::App& audit, Ctl& ctl) {
    CLI::App* pseudonym = verb(audit, ctl, "pseudonym", "ask in which messages a pseudonym occurred",
                               [](Ctl& c) { return ask_with_line(c, "audit pseudonym", "pseudonym", "pseudonym: "); });
    text(pseudonym, ctl, "pseudonym", "pseudonym", "without: read from standard input");
    CLI::App* person =
        verb(audit, ctl, "person", "ask in which messages a person occurred; the number on standard input",
             [](Ctl& c) { return ask_with_line(c, "audit person", "number", "identity number: "); });
    verb(audit, ctl, "requests", "questions that wait",
         [](Ctl& c) { return plain(c, "audit requests", print_requests); });
    CLI::App* approve = verb(audit, ctl, "approve", "the second operator: that question may be answered",
                             [](Ctl& c) { return plain(c, "audit approve", print_plain); });
    CLI::App* answer = verb(audit, ctl, "answer", "the answer, to who asked, once it is approved", show_answer);
    for (CLI::App* sub : {approve, answer})
        text(sub, ctl, "request", "request", "its id, or how that begins")->required();
    for (CLI::App* sub : {pseudonym, person, approve})
        text(sub, ctl, "--reason", "reason", "why, for the audit log")->required();
}

}  // namespace tpf::daemon
