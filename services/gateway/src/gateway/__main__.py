"""`python -m gateway serve|consume|relay|all|migrate`."""

from common.process import main
from gateway.app import SERVICE

if __name__ == "__main__":
    main(SERVICE)
