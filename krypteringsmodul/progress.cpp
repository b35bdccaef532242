#include "krypteringsmodul/progress.h"

#include <algorithm>
#include <cstdio>
#include <string>

namespace tpf::krypteringsmodul {
namespace {

constexpr std::size_t kWidth = 30;
constexpr std::chrono::milliseconds kPause(100);

}  // namespace

void TerminalProgress::phase(std::string_view name, std::uint64_t total) {
    name_ = name;
    total_ = total;
    done_ = 0;
    began_ = Steady::now();
    draw(began_);
}

void TerminalProgress::advance(std::uint64_t bytes) {
    done_ += bytes;
    const auto now = Steady::now();
    if (now - drawn_ >= kPause || done_ == total_) draw(now);
}

void TerminalProgress::clear() {
    if (shown_) std::fputs("\r\033[K", stderr);
    shown_ = false;
}

void TerminalProgress::draw(Steady::time_point now) {
    drawn_ = now;
    shown_ = true;
    const std::uint64_t done = std::min(done_, total_);
    const double part = total_ == 0 ? 1.0 : static_cast<double>(done) / static_cast<double>(total_);
    const double seconds = std::chrono::duration<double>(now - began_).count();
    const double speed = seconds > 0 ? static_cast<double>(done_) / 1e6 / seconds : 0;
    const auto filled = static_cast<std::size_t>(part * kWidth);
    const std::string bar = std::string(filled, '#') + std::string(kWidth - filled, '.');
    std::fprintf(stderr, "\r%.*s [%s] %3.0f %%  %.0f MB/s\033[K", static_cast<int>(name_.size()), name_.data(),
                 bar.c_str(), part * 100, speed);
    std::fflush(stderr);
}

}  // namespace tpf::krypteringsmodul
