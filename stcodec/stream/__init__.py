"""Live: frames come in at their own pace, packets go out with a latency that is kept."""
