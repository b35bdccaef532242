// tpfctl: what operators do with the core, over its unix socket.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <span>

#include "base/encoding.h"
#include "base/fs.h"
#include "conf/config.h"
#include "daemon/ctl.h"
#include "daemon/ctl_audit.h"
#include "daemon/ctl_copy.h"
#include "daemon/ctl_journal.h"
#include "daemon/ctl_keys.h"
#include "daemon/ctl_print.h"
#include "daemon/ctl_progress.h"
#include "daemon/ctl_restore.h"
#include "daemon/ctl_status.h"
#include "daemon/process.h"

namespace tpf::daemon {
namespace {

/// A line that is written over, when somebody looks.
void show_progress(std::uint64_t sent, std::uint64_t size) {
    if (size < (std::uint64_t{16} << 20) || ::isatty(STDERR_FILENO) == 0) return;
    std::fprintf(stderr, "\r%3u %% of %llu MiB%s", static_cast<unsigned>(sent * 100 / size),
                 static_cast<unsigned long long>(size >> 20), sent == size ? "\n" : "");
}

Result<ControlAnswer> ask_with_file(const Ctl& ctl, std::string_view command, const std::string& name) {
    FileSystem& fs = posix_file_system();
    const auto file = fs.open_read(name);
    // The catalogue's hint for a name that does not exist is about messages and keys.
    if (!file && file.error().code() == Code::not_found) return fail(Code::usage, name + ": no such file");
    if (!file) return fail(file.error());
    TPF_TRY(const auto info, fs.info(*file.value()));
    const auto progress = [size = info.size](std::uint64_t sent) { show_progress(sent, size); };
    return ask(ctl, command, ControlBody{*file.value(), info.size, progress});
}

int check_file(Ctl& ctl) {
    const auto answer = ask_with_file(ctl, "check", ctl.files.front());
    if (!answer) return show_error(ctl, answer.error());
    show(ctl, answer.value(), print_check);
    return answer.value().result.value("would_pass", false) ? 0 : 1;
}

/// One by one; a file that is refused does not keep the others.
int submit_files(Ctl& ctl) {
    int status = 0;
    for (const std::string& name : ctl.files) {
        const auto answer = ask_with_file(ctl, "submit", name);
        if (!answer) {
            if (!ctl.json) std::cerr << name << ":\n";
            status = show_error(ctl, answer.error(), name);
            continue;
        }
        show(ctl, answer.value(), print_plain, name);
    }
    return status;
}

int show_journal(const Ctl& ctl, const Result<ControlAnswer>& answer, Printer print, const char* good) {
    end_progress_line();
    if (!answer) return show_error(ctl, answer.error());
    show(ctl, answer.value(), print);
    return good == nullptr || answer.value().result.value(good, false) ? 0 : 1;
}

/// Asks the core; where there is none, looks itself.
int check_journal(Ctl& ctl) {
    const ShowProgress progress = progress_line();
    ctl.args["progress"] = static_cast<bool>(progress);
    const auto socket = socket_path(ctl);
    if (!socket) return show_error(ctl, socket.error());
    auto answer = ask_core(socket.value(), "journal check", ctl.args, std::nullopt, progress);
    if (!answer && answer.error().code() == Code::unavailable) {
        const auto config = conf::load(Path(ctl.config));
        if (!config) return show_error(ctl, conf::as_error(config.error()));
        answer = check_journal_here(config.value(), progress);
    }
    return show_journal(ctl, answer, print_journal_check, "good");
}

int rebuild_journal(Ctl& ctl) {
    const auto config = conf::load(Path(ctl.config));
    if (!config) return show_error(ctl, conf::as_error(config.error()));
    const auto answer = rebuild_journal_here(config.value(), ctl.args.value("reason", ""), progress_line());
    return show_journal(ctl, answer, print_rebuild, nullptr);
}

void add_queue(CLI::App& app, Ctl& ctl) {
    CLI::App* queue = app.add_subcommand("queue", "messages and their states");
    queue->require_subcommand(1)->fallthrough();
    CLI::App* list =
        verb(*queue, ctl, "list", "messages, oldest first", [](Ctl& c) { return plain(c, "queue list", print_list); });
    text(list, ctl, "--state", "state", "claimed, committed, delivered, quarantined, held, discarded or duplicate");
    text(list, ctl, "--sender", "sender", "KKKK-BB-OOOOOOOOO");
    number(list, ctl, "--limit", "limit", "how many (default 100)");
    number(list, ctl, "--offset", "offset", "how many to pass over");
    list->add_flag_callback(
        "--newest-first", [&ctl] { ctl.args["newest_first"] = true; }, "newest first");
    CLI::App* show = verb(*queue, ctl, "show", "all that is known of one message",
                          [](Ctl& c) { return plain(c, "queue show", print_message); });
    CLI::App* retry = verb(*queue, ctl, "retry", "let a quarantined or held message try again",
                           [](Ctl& c) { return plain(c, "queue retry", print_plain); });
    CLI::App* discard =
        verb(*queue, ctl, "discard", "remove a quarantined or held message: one operator asks, another one confirms",
             [](Ctl& c) { return plain(c, "queue discard", print_plain); });
    for (CLI::App* sub : {show, retry, discard})
        text(sub, ctl, "id", "id", "spool id, its beginning, or MeldingsId")->required();
    for (CLI::App* sub : {retry, discard}) text(sub, ctl, "--reason", "reason", "why, for the audit log")->required();
    flag(discard, ctl, "--confirm", "confirm", "as the second operator, within 24 hours");
}

void add_local(CLI::App& app, Ctl& ctl) {
    CLI::App* codes = verb(app, ctl, "codes", "the catalogue of codes", [](Ctl& c) {
        std::cout << (c.json ? codes_json().dump() + "\n" : codes_markdown());
        return 0;
    });
    codes->add_flag_callback(
        "--markdown", [] {}, "as docs/codes.md has it (the form without --json)");
    CLI::App* config = app.add_subcommand("config", "about the configuration");
    config->require_subcommand(1)->fallthrough();
    verb(*config, ctl, "sample", "a commented sample", [](Ctl&) {
        std::cout << conf::sample();
        return 0;
    });
    verb(*config, ctl, "documentation", "all settings, as docs/configuration.md has them", [](Ctl&) {
        std::cout << conf::documentation_markdown();
        return 0;
    });
}

void add_journal(CLI::App& app, Ctl& ctl) {
    CLI::App* journal = app.add_subcommand("journal", "the database of all messages");
    journal->require_subcommand(1)->fallthrough();
    CLI::App* check = verb(*journal, ctl, "check", "is it whole? with the core running or stopped", check_journal);
    text(check, ctl, "--reason", "reason", "why, for the audit log (default: routine)");
    CLI::App* rebuild = verb(*journal, ctl, "rebuild", "make it anew from its copy, what is left of it, and the spool",
                             rebuild_journal);
    text(rebuild, ctl, "--reason", "reason", "why, for the audit log")->required();
}

int run(int argc, char** argv) {
    Ctl ctl;
    CLI::App app("Operate TPF: asks the core over its unix socket.", "tpfctl");
    app.set_version_flag("--version", "tpfctl " TPF_VERSION);
    app.add_option("--config", ctl.config, "configuration file, for the socket's path")->capture_default_str();
    app.add_option("--socket", ctl.socket, "the core's socket, instead");
    app.add_flag("--json", ctl.json, "print the answer as JSON");
    app.require_subcommand(1)->fallthrough();
    verb(app, ctl, "status", "is it well, and if not, what to do", show_status);
    CLI::App* top = verb(app, ctl, "top", "the same, live, with rates; q ends it", show_top);
    number(top, ctl, "--interval", "interval", "seconds between two looks (default 2)");
    CLI::App* metrics = verb(app, ctl, "metrics", "the core's numbers, as OpenMetrics", show_metrics);
    flag(metrics, ctl, "--prometheus", "prometheus", "in Prometheus' text format, as the metrics file has them");
    CLI::App* check = verb(app, ctl, "check", "would this message pass? changes nothing", check_file);
    check->add_option("file", ctl.files, "encrypted message")->required()->expected(1);
    text(check, ctl, "--reason", "reason", "why, for the audit log (default: routine)");
    CLI::App* submit = verb(app, ctl, "submit", "hand over encrypted messages for a sender", submit_files);
    submit->add_option("file", ctl.files, "encrypted messages")->required();
    text(submit, ctl, "--sender", "sender", "who they are from, KKKK-BB-OOOOOOOOO")->required();
    text(submit, ctl, "--reason", "reason", "why by hand, for the audit log")->required();
    CLI::App* receipt = verb(app, ctl, "receipt", "the sender's receipt as it stands now",
                             [](Ctl& c) { return plain(c, "receipt", print_plain); });
    text(receipt, ctl, "id", "id", "spool id, its beginning, or MeldingsId")->required();
    add_queue(app, ctl);
    add_keys(app, ctl);
    add_audit(app, ctl);
    add_journal(app, ctl);
    add_copy(app, ctl);
    add_restore(app, ctl);
    add_local(app, ctl);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        // Whoever reads JSON reads it also when the call was wrong; --json itself may not have been reached.
        const std::span<char*> words(argv, static_cast<std::size_t>(argc));
        ctl.json = std::any_of(words.begin(), words.end(), [](std::string_view word) { return word == "--json"; });
        if (error.get_exit_code() == 0 || !ctl.json) return app.exit(error) == 0 ? 0 : 2;
        show_error(ctl, Error(Code::usage, error.what()));
        return 2;
    }
    return ctl.action(ctl);
}

}  // namespace
}  // namespace tpf::daemon

int main(int argc, char** argv) {
    try {
        return tpf::daemon::run(argc, argv);
    } catch (const std::exception& error) {
        std::cerr << "error: " << error.what() << "\n";
        return 1;
    }
}
