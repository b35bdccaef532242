#include "daemon/ctl_audit_show.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "daemon/ctl_print.h"

namespace tpf::daemon {
namespace {

constexpr std::uint64_t kPage = 1000;

/// Where lines go: standard output, or a pager. Writing fails once the reader has gone.
class Output {
  public:
    explicit Output(bool pager) {
        if (!pager) return;
        // Whoever leaves the pager early has seen enough.
        std::signal(SIGPIPE, SIG_IGN);
        const char* own = std::getenv("PAGER");
        pipe_ = ::popen(own != nullptr && *own != '\0' ? own : "less -FRX", "w");
    }
    ~Output() {
        if (pipe_ != nullptr) ::pclose(pipe_);
        std::fflush(stdout);
    }
    Output(const Output&) = delete;
    Output& operator=(const Output&) = delete;
    [[nodiscard]] bool write(const std::string& text) {
        std::FILE* const to = pipe_ != nullptr ? pipe_ : stdout;
        return std::fwrite(text.data(), 1, text.size(), to) == text.size() && std::fflush(to) == 0;
    }

  private:
    std::FILE* pipe_ = nullptr;
};

std::string csv_field(const std::string& text) {
    // A spreadsheet would take these for a formula.
    const bool formula = !text.empty() && std::string_view("=+-@\t\r").find(text.front()) != std::string_view::npos;
    const bool quoted = formula || text.find_first_of(",\"\r\n") != std::string::npos;
    if (!quoted) return text;
    std::string out = formula ? "\"'" : "\"";
    for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
    return out + "\"";
}

std::string csv_line(const Json& entry) {
    return std::to_string(entry.value("seq", std::uint64_t{0})) + "," + csv_field(entry.value("time", "")) + "," +
           csv_field(entry.value("kind", "")) + "," + csv_field(entry.value("actor", "")) + "," +
           csv_field(entry.value("message", "")) + "," + csv_field(entry["fields"].dump()) + "\n";
}

/// How the answer begins, its entries, and how it ends.
class Form {
  public:
    explicit Form(const Ctl& ctl) : json_(ctl.json), csv_(ctl.args.value("csv", false)) {}
    [[nodiscard]] std::string head(const ControlAnswer& answer) const {
        if (csv_) return "seq,time,kind,actor,message,fields\n";
        if (json_) {
            const Json frame{{"installation", answer.installation}, {"name", answer.name}};
            std::string text = frame.dump();
            text.pop_back();
            return text + ",\"result\":{\"entries\":[";
        }
        return answer.installation == "production" ? "" : "TEST INSTALLATION " + answer.name + "\n";
    }
    [[nodiscard]] std::string entries(const Json& page) {
        std::string text;
        if (!csv_ && !json_) return print_audit(page);
        for (const Json& entry : page["entries"]) {
            if (json_ && !csv_) text += std::exchange(first_, false) ? "" : ",";
            text += csv_ ? csv_line(entry) : entry.dump();
        }
        return text;
    }
    [[nodiscard]] std::string end() const { return json_ && !csv_ ? "]}}\n" : ""; }
    [[nodiscard]] bool for_people() const { return !json_ && !csv_; }

  private:
    bool json_;
    bool csv_;
    bool first_ = true;
};

}  // namespace

int show_audit(Ctl& ctl) {
    std::uint64_t left = ctl.args.value("most", UINT64_MAX);
    Form form(ctl);
    ctl.args["limit"] = std::min(left, kPage);
    auto answer = ask(ctl, "audit show");
    if (!answer) return show_error(ctl, answer.error());
    Output out(form.for_people() && ::isatty(STDOUT_FILENO) != 0 && !ctl.args.value("no_pager", false));
    if (!out.write(form.head(answer.value()))) return 0;
    while (true) {
        const Json& page = answer.value().result;
        if (!out.write(form.entries(page))) return 0;
        left -= std::min<std::uint64_t>(left, page["entries"].size());
        if (left == 0 || !page.contains("next")) break;
        ctl.args = {{"reading", page["reading"]}, {"after", page["next"]}, {"limit", std::min(left, kPage)}};
        answer = ask(ctl, "audit show");
        if (!answer) return show_error(ctl, answer.error());
    }
    return out.write(form.end()) ? 0 : 1;
}

}  // namespace tpf::daemon
