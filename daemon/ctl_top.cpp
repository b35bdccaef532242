// tpfctl top: the status, asked again and again, with rates from the counters' differences. Plain ANSI.

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <deque>
#include <iomanip>
#include <sstream>

#include "base/unique_fd.h"
#include "daemon/ctl_print.h"
#include "daemon/ctl_status.h"
#include "daemon/process.h"

namespace tpf::daemon {
namespace {

constexpr std::size_t kHistory = 60;

void put(std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
        if (written <= 0) return;
        text.remove_prefix(static_cast<std::size_t>(written));
    }
}

/// The other screen, without echo and cursor; as it was when this goes.
class Screen {
  public:
    Screen() {
        ::tcgetattr(STDIN_FILENO, &before_);
        termios raw = before_;
        raw.c_lflag &= static_cast<tcflag_t>(~(ICANON | ECHO));
        ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
        put("\x1b[?1049h\x1b[?25l");
    }
    ~Screen() {
        put("\x1b[?25h\x1b[?1049l");
        ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
    }
    Screen(const Screen&) = delete;
    Screen& operator=(const Screen&) = delete;

    /// Cut to what the terminal shows.
    static void draw(const std::string& text) {
        winsize size{};
        const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 1 && size.ws_col > 0;
        const std::size_t rows = known ? size.ws_row - 1U : 23;
        const std::size_t columns = known ? size.ws_col : 80;
        std::string out = "\x1b[H";
        std::istringstream lines(text);
        std::size_t row = 0;
        for (std::string line; row < rows && std::getline(lines, line); ++row) out += cut(line, columns) + "\x1b[K\r\n";
        put(out + "\x1b[J");
    }

  private:
    /// The first `columns` characters (UTF-8; each is one wide here).
    static std::string cut(const std::string& line, std::size_t columns) {
        std::size_t at = 0;
        for (std::size_t seen = 0; at < line.size(); ++at) {
            if ((static_cast<unsigned char>(line[at]) & 0xc0U) != 0x80 && seen++ == columns) break;
        }
        return line.substr(0, at);
    }
    termios before_{};
};

/// A counter's rate over time, a small plot of the last looks.
struct Series {
    std::string name;
    std::string counter;
    double unit = 1;
    double last = -1;
    std::deque<double> rates{};

    void look(const Json& totals, double seconds) {
        const double now = totals.value(counter, 0.0) / unit;
        // A core that was restarted begins at zero again.
        if (last >= 0 && now >= last && seconds > 0) rates.push_back((now - last) / seconds);
        if (rates.size() > kHistory) rates.pop_front();
        last = now;
    }
    [[nodiscard]] std::string line() const {
        static constexpr std::array kBars = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
        std::ostringstream out;
        out << "  " << std::left << std::setw(18) << name << std::right << std::setw(10) << std::fixed
            << std::setprecision(1) << (rates.empty() ? 0.0 : rates.back()) << "  ";
        const double most = rates.empty() ? 0 : *std::max_element(rates.begin(), rates.end());
        for (const double rate : rates)
            out << kBars.at(most > 0 ? static_cast<std::size_t>(rate / most * (kBars.size() - 1)) : 0);
        return out.str();
    }
};

class Top {
  public:
    explicit Top(const Ctl& ctl) : ctl_(ctl) {}
    [[nodiscard]] std::string look() {
        const auto now = std::chrono::steady_clock::now();
        const auto answer = ask(ctl_, "status");
        if (!answer) return "CRITICAL\n  " + answer.error().text() + "\n\n  q: end\n";
        const Json& status = answer.value().result;
        const double seconds = std::chrono::duration<double>(now - last_).count();
        std::string out = answer.value().name + "   " + status.value("time", "") + "   q: end\n";
        if (answer.value().installation != "production") out = "TEST INSTALLATION " + out;
        out += "\n  per second\n";
        for (Series& series : series_) {
            series.look(status["totals"], seconds);
            out += series.line() + "\n";
        }
        last_ = now;
        return out + "\n" + print_status(status);
    }

  private:
    const Ctl& ctl_;
    std::chrono::steady_clock::time_point last_{};
    std::array<Series, 6> series_ = {{{"received", "messages_received"},
                                      {"pseudonymised", "messages_pseudonymised"},
                                      {"delivered", "messages_delivered"},
                                      {"quarantined", "messages_quarantined"},
                                      {"persons", "persons"},
                                      {"MB received", "received_bytes", 1e6}}};
};

/// True: it is to end.
bool pause_for(std::chrono::milliseconds time, int signals) {
    std::array<pollfd, 2> fds = {pollfd{STDIN_FILENO, POLLIN, 0}, pollfd{signals, POLLIN, 0}};
    if (::poll(fds.data(), fds.size(), static_cast<int>(time.count())) <= 0) return false;
    if (fds[1].revents != 0) return true;
    char key = 0;
    return ::read(STDIN_FILENO, &key, 1) <= 0 || key == 'q';
}

}  // namespace

int show_top(Ctl& ctl) {
    if (::isatty(STDIN_FILENO) == 0 || ::isatty(STDOUT_FILENO) == 0 || ctl.json) {
        print_error(Error(Code::usage, "top needs a terminal", "`tpfctl status`, with --json for programs"));
        return 2;
    }
    const auto interval = std::clamp<std::uint64_t>(ctl.args.value("interval", std::uint64_t{2}), 1, 3600);
    ctl.args = Json::object();
    // They end the loop, so that the terminal is put back.
    const auto signals = catch_signals();
    if (!signals) return show_error(ctl, signals.error());
    const Screen screen;
    Top top(ctl);
    do {
        Screen::draw(top.look());
    } while (!pause_for(std::chrono::seconds(interval), signals.value().get()));
    return 0;
}

}  // namespace tpf::daemon
