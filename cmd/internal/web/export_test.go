package web

// ReportFor is how long a report counts as new.
const ReportFor = reportFor
