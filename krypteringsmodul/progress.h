#pragma once
// How far a run has come, shown to whoever waits for it.

#include <chrono>
#include <cstdint>
#include <string_view>

namespace tpf::krypteringsmodul {

/// Told by one thread.
class Progress {
  public:
    virtual ~Progress() = default;
    /// `total`: bytes that this phase will read.
    virtual void phase(std::string_view name, std::uint64_t total) = 0;
    virtual void advance(std::uint64_t bytes) = 0;
    /// Whatever is shown goes away.
    virtual void clear() = 0;
};

/// Shows nothing.
class NoProgress final : public Progress {
  public:
    void phase(std::string_view, std::uint64_t) override {}
    void advance(std::uint64_t) override {}
    void clear() override {}
};

/// A bar on standard error, drawn at most ten times a second.
class TerminalProgress final : public Progress {
  public:
    ~TerminalProgress() override { clear(); }
    void phase(std::string_view name, std::uint64_t total) override;
    void advance(std::uint64_t bytes) override;
    void clear() override;

  private:
    using Steady = std::chrono::steady_clock;
    void draw(Steady::time_point now);

    std::string_view name_;
    std::uint64_t total_ = 0;
    std::uint64_t done_ = 0;
    Steady::time_point began_;
    Steady::time_point drawn_;
    bool shown_ = false;
};

}  // namespace tpf::krypteringsmodul
